// Package identity decides who sends a request, and what they may do.
//
// A principal is somebody, or a program, that the API knows: by an API key, a token of an OpenID
// Connect issuer, or a session of a browser. It has one role, and a role has permissions: one table
// lists them. A request without credentials is a guest's.
//
// The package knows requests of net/http and no types of echo. Package httpapi asks it once for
// each request, checks the permission that the route requires, and passes the principal on in the
// context.
package identity

import (
	"context"
	"errors"
	"net/http"

	"example.com/orders/shared/order"
	"example.com/orders/shared/tracing"
)

// Principal is who sends a request. The zero value is a guest: somebody who has not signed in.
type Principal struct {
	ID   string // unique among the principals of a kind; printable ASCII, at most 128 bytes; empty for a guest
	Name string // for people to read; or empty
	Role Role   // empty for a guest
}

// Actor is the principal as records name it. A guest is the zero value.
func (p Principal) Actor() order.Actor {
	switch p.Role {
	case "":
		return order.Actor{}
	case Customer:
		return order.Actor{Kind: order.ActorCustomer, ID: p.ID}
	}
	return order.Actor{Kind: order.ActorOperator, ID: p.ID}
}

// Guest reports whether the principal has not signed in.
func (p Principal) Guest() bool { return p.Role == "" }

// May reports whether the role of the principal has a permission. A guest has none: what guests may
// do is a setting of the API.
func (p Principal) May(needed Permission) bool { return p.Role.Has(needed) }

// Authenticator finds out who sends a request.
type Authenticator interface {
	// Authenticate returns the principal of a request, or a guest if the request has none of the
	// credentials that it reads. It is ErrCredentials if they are invalid, expired or revoked, and
	// ErrUnavailable if that cannot be checked now.
	Authenticate(r *http.Request) (Principal, error)
}

// Errors of Authenticate. Wrapped errors say more, for the log only.
var (
	ErrCredentials = errors.New("credentials are invalid")
	ErrUnavailable = errors.New("credentials cannot be checked now")
)

type contextKey struct{}

// With returns a context with the principal of a request.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// Cause is what led to a record that a request makes: its principal, and its trace.
func Cause(ctx context.Context) order.Cause {
	return order.Cause{Actor: From(ctx).Actor(), Trace: tracing.Traceparent(ctx)}
}

// From returns the principal of With, or a guest.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(contextKey{}).(Principal)
	return p
}
