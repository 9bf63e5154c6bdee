package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"example.com/orders/shared/config"
)

const (
	maxBody   = 256 << 10 // an order of 200 lines with a long note needs a tenth; a record may have four times as much
	maxUnread = 16 << 20  // of a refused body, read to keep the connection usable
)

// Refusal is the RFC 9457 problem of a request that is refused before it reaches a handler.
type Refusal struct {
	Type   string `json:"type"` // "/problems/" and the kind of problem
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// Error is title and detail.
func (r *Refusal) Error() string { return strings.TrimSuffix(r.Title+": "+r.Detail, ": ") }

func refuse(kind, title string, status int, detail string) *Refusal {
	return &Refusal{Type: "/problems/" + kind, Title: title, Status: status, Detail: detail}
}

// Guard passes requests that Admit accepts to h, and responds to the others with a problem.
func Guard(access config.Access, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refusal := Admit(access, w, r)
		if refusal == nil {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(refusal.Status)
		_ = json.NewEncoder(w).Encode(refusal) // the client may have disconnected
	})
}

// Admit reads the body of a request, limited in size and by the read deadline of Run, and replaces
// r.Body with the bytes. Then it checks the Host header, and that no page of another origin sent
// the request. It returns nil if the request is accepted.
func Admit(access config.Access, w http.ResponseWriter, r *http.Request) *Refusal {
	body, refusal := Body(w, r, maxBody)
	if refusal != nil {
		return refusal
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return AdmitHead(access, r)
}

// AdmitHead is Admit for a request whose handler reads the body itself, with Body.
func AdmitHead(access config.Access, r *http.Request) *Refusal {
	if !answersTo(access, r) {
		return refuse("misdirected", "Misdirected request", http.StatusMisdirectedRequest,
			"the Host header must be localhost, an IP address of this server or a name in --allowed-hosts")
	}
	if http.NewCrossOriginProtection().Check(r) != nil {
		return refuse("cross-origin", "Cross-origin request refused", http.StatusForbidden, "")
	}
	return nil
}

// Body reads the whole body of a request, which may have a number of bytes. It blocks until the read
// deadline of Run, and removes that.
func Body(w http.ResponseWriter, r *http.Request, most int64) ([]byte, *Refusal) {
	body, err := readBody(w, r, most)
	switch _, large := errors.AsType[*http.MaxBytesError](err); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		// Keep the deadline and close the connection: do not wait for the rest of the body.
		w.Header().Set("Connection", "close")
		return nil, refuse("timeout", "Request timeout", http.StatusRequestTimeout, "the request body did not arrive in time")
	case large:
		return nil, refuse("body-too-large", "Request body too large", http.StatusRequestEntityTooLarge,
			fmt.Sprintf("the request body must not exceed %d KiB", most>>10))
	case err != nil:
		return nil, refuse("malformed", "Unreadable request body", http.StatusBadRequest, "the request body ended early")
	}
	// Remove the read deadline: if it passed while the handler runs, it would cancel the request's
	// context. Test recorders support no deadlines, so ignore the error.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	return body, nil
}

// readBody reads a body, or discards at most maxUnread bytes of one that is too large: many clients
// read no response before they have sent the whole body, and would see a broken connection instead.
// A client with Expect: 100-continue has not sent its body yet.
func readBody(w http.ResponseWriter, r *http.Request, most int64) (body []byte, err error) {
	err = &http.MaxBytesError{Limit: most}
	if r.ContentLength <= most {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large && r.Header.Get("Expect") == "" {
		if _, late := io.CopyN(io.Discard, r.Body, maxUnread); errors.Is(late, os.ErrDeadlineExceeded) {
			return nil, late
		}
	}
	return body, err
}

// answersTo reports whether a request's Host header names this program: localhost, an allowed name,
// or the IP address that received the request, which probes in a cluster use. An attack by DNS
// rebinding sends the attacker's host name, never an IP address.
func answersTo(access config.Access, r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil {
		at, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		return ip.IsLoopback() || ok && at.IP.Equal(ip)
	}
	names := func(name string) bool { return strings.EqualFold(name, strings.TrimSuffix(host, ".")) }
	return names("localhost") || slices.ContainsFunc(access.AllowedHosts, names)
}
