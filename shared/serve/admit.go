package serve

import (
	"bytes"
	"encoding/json"
	"errors"
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
	maxBody   = 256 << 10 // 200 lines and a long note need a tenth; the topic takes four times as much
	maxUnread = 16 << 20  // of a body that is refused
)

// Refusal is the error of a request that no handler gets to see, in the form of an RFC 9457 problem.
type Refusal struct {
	Type   string `json:"type"` // "/problems/" and the kind
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// Error is the title with the detail.
func (r *Refusal) Error() string { return strings.TrimSuffix(r.Title+": "+r.Detail, ": ") }

func refuse(kind, title string, status int, detail string) *Refusal {
	return &Refusal{Type: "/problems/" + kind, Title: title, Status: status, Detail: detail}
}

// Guard lets the requests through to h that Admit admits, and answers the others with their problem.
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
		_ = json.NewEncoder(w).Encode(refusal) // the client may be gone
	})
}

// Admit reads the body of a request, within a size and the time that Run gives, and puts what it read in its place. Then
// it checks that the request is for this program and not sent by a page of another origin. It returns nil, or why not.
func Admit(access config.Access, w http.ResponseWriter, r *http.Request) *Refusal {
	body, err := readBody(w, r)
	switch _, large := errors.AsType[*http.MaxBytesError](err); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		// The deadline stays: what comes of the body after the answer is not waited for either.
		w.Header().Set("Connection", "close")
		return refuse("timeout", "Request timeout", http.StatusRequestTimeout, "the request body did not arrive in time")
	case large:
		return refuse("body-too-large", "Request body too large", http.StatusRequestEntityTooLarge, "the request body must not exceed 256 KiB")
	case err != nil:
		return refuse("malformed", "Unreadable request body", http.StatusBadRequest, "the request body ended early")
	}
	// Passing while an answer is written, it would end the request's context. A writer that knows no deadlines is a test's.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	r.Body = io.NopCloser(bytes.NewReader(body))
	if !answersTo(access, r) {
		return refuse("misdirected", "Misdirected request", http.StatusMisdirectedRequest,
			"the Host header must be localhost, an IP address of this server or a name in --allowed-hosts")
	}
	if http.NewCrossOriginProtection().Check(r) != nil {
		return refuse("cross-origin", "Cross-origin request refused", http.StatusForbidden, "")
	}
	return nil
}

// readBody reads a body, or at most maxUnread of what is too large: many clients look for no answer before they have sent
// everything, and would find the connection broken. One that expects to be asked to go on has not begun.
func readBody(w http.ResponseWriter, r *http.Request) (body []byte, err error) {
	err = &http.MaxBytesError{Limit: maxBody}
	if r.ContentLength <= maxBody {
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large && r.Header.Get("Expect") == "" {
		if _, late := io.CopyN(io.Discard, r.Body, maxUnread); errors.Is(late, os.ErrDeadlineExceeded) {
			return nil, late
		}
	}
	return body, err
}

// answersTo reports whether a request's Host header names this program. A page whose own name was made to point here
// (DNS rebinding) sends that name, never an IP address: so the address at which the request came in is right as well,
// which is what probes inside a cluster send.
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
