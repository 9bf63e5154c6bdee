package httpapi

import (
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// keyed reads a request that places an order: the idempotency key, which may be empty, and the JSON
// body.
func keyed(r *http.Request) (key string, body []byte, err error) {
	if key, err = idempotencyKey(r.Header); err != nil {
		return "", nil, err
	}
	body, err = readJSON(r)
	return key, body, err
}

var keyForm = regexp.MustCompile(`^[!-~]{1,200}$`)

func idempotencyKey(h http.Header) (string, error) {
	keys := h.Values("Idempotency-Key")
	if len(keys) == 0 {
		return "", nil
	}
	if len(keys) > 1 || !keyForm.MatchString(keys[0]) {
		return "", newProblem(badParameter, "Idempotency-Key must appear once and consist of 1 to 200 visible ASCII characters")
	}
	return keys[0], nil
}

// readJSON returns the body of a request whose headers allow JSON in UTF-8. It does not parse it.
func readJSON(r *http.Request) ([]byte, error) {
	if err := checkType(r.Header); err != nil {
		return nil, err
	}
	return io.ReadAll(r.Body)
}

// checkType also accepts a missing type and the type of a form, which curl -d sends by default. A
// page of another origin can send a form without a preflight request, but package serve refuses it.
func checkType(h http.Header) error {
	return checkContent(h, echo.MIMEApplicationJSON, echo.MIMEApplicationForm)
}

// checkContent accepts a missing type, and some media types. The first is named in the problem.
func checkContent(h http.Header, allowed ...string) error {
	for _, coding := range h.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(coding), "identity") {
			return newProblem(unsupportedType, "the body must not be compressed: omit Content-Encoding")
		}
	}
	types := h.Values("Content-Type")
	if len(types) == 0 || len(types) == 1 && types[0] == "" {
		return nil
	}
	media, parameters, err := mime.ParseMediaType(types[0])
	if len(types) > 1 || err != nil || !slices.Contains(allowed, media) {
		return newProblem(unsupportedType, "Content-Type must be "+allowed[0])
	}
	if charset, given := parameters["charset"]; given && !strings.EqualFold(charset, "utf-8") {
		return newProblem(unsupportedType, "the charset of Content-Type must be UTF-8")
	}
	return nil
}

// maxWait limits the preference wait, in seconds.
const maxWait = 60

// preferredWait reads the preference wait (RFC 7240). Unknown and malformed preferences are
// ignored, as the RFC requires.
func preferredWait(h http.Header) (time.Duration, bool) {
	for preference := range strings.SplitSeq(strings.Join(h.Values("Prefer"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
		if seconds, err := strconv.ParseUint(value, 10, 32); strings.EqualFold(name, "wait") && err == nil {
			return time.Duration(min(seconds, maxWait)) * time.Second, true
		}
	}
	return 0, false
}

// lastEventID is the rev of the last event that a client has received, or -1.
func lastEventID(h http.Header) (int64, error) {
	ids := h.Values("Last-Event-ID")
	if len(ids) == 0 {
		return -1, nil
	}
	rev, err := strconv.ParseInt(ids[0], 10, 64)
	if err != nil || rev < 0 || len(ids) > 1 {
		return 0, newProblem(badParameter, "Last-Event-ID must be the id of one event")
	}
	return rev, nil
}
