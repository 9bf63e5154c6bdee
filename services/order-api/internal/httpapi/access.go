package httpapi

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/mask"
	"example.com/orders/shared/order"
)

// need is what a route requires of who sends a request. The zero value admits no request.
type need struct {
	permission identity.Permission
	public     bool
	guests     Guests
}

// Guests is what a route allows to a request without credentials.
type Guests int

// What routes allow to guests.
const (
	NoGuests    Guests = iota
	GuestsLink         // if the request has a link token; the handler compares it with that of the order
	GuestsPlace        // if Config.Guests is set
	AllGuests          // always: the route has nothing of others
)

// public is for routes that anyone may use, without a look at credentials.
var public = need{public: true}

func requires(p identity.Permission) need     { return need{permission: p} }
func requiresLink(p identity.Permission) need { return need{permission: p, guests: GuestsLink} }
func requiresUnlessGuests(p identity.Permission) need {
	return need{permission: p, guests: GuestsPlace}
}

// String is the name of the routes with this need.
func (n need) String() string {
	if n.public {
		return "public"
	}
	return string(n.permission)
}

// errSignIn is a request of a guest that needs a sign-in.
var errSignIn = errors.New("the request has no credentials")

// forbiddenError is a request of a principal without a permission.
type forbiddenError struct{ needed identity.Permission }

// Error names the permission.
func (f *forbiddenError) Error() string { return "the permission " + string(f.needed) + " is missing" }

// roles lists the roles that have the permission.
func (f *forbiddenError) roles() string {
	var all []string
	for _, r := range identity.Roles() {
		if r.Has(f.needed) {
			all = append(all, string(r))
		}
	}
	return strings.Join(all, ", ")
}

// require is middleware that authenticates a request, puts the principal into its context, applies
// the limits of the principal, and checks the permission. The handler runs afterwards, so a refused
// request learns nothing about orders.
func (a *api) require(n need) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if n.public {
			return a.limitRequests(next)
		}
		admitted := a.limitRequests(func(c echo.Context) error {
			r := c.Request()
			if err := a.admits(n, identity.From(r.Context()), r); err != nil {
				return err
			}
			return next(c)
		})
		return func(c echo.Context) error {
			r := c.Request()
			p, err := a.authenticate(r)
			if err != nil {
				return err
			}
			c.SetRequest(r.WithContext(identity.With(r.Context(), p)))
			return admitted(c)
		}
	}
}

// authenticate returns the principal of a request. Without Config.Auth that is the demo operator.
func (a *api) authenticate(r *http.Request) (identity.Principal, error) {
	if a.Auth == nil {
		return identity.DemoOperator(), nil
	}
	given := r.Header.Values(echo.HeaderAuthorization)
	if len(given) > 1 {
		return identity.Principal{}, fmt.Errorf("%w: %d Authorization headers", identity.ErrCredentials, len(given))
	}
	p, err := a.Auth.Authenticate(r)
	if err == nil && p.Guest() && len(given) > 0 {
		// A mistake in the header must not turn the request into one of a guest.
		err = fmt.Errorf("%w: unknown kind of Authorization header", identity.ErrCredentials)
	}
	return p, err
}

// admits returns nil if a principal has what a route needs.
func (a *api) admits(n need, p identity.Principal, r *http.Request) error {
	token, err := linkToken(r)
	switch {
	case err != nil:
		return err
	case p.May(n.permission):
		return nil
	case !p.Guest():
		return &forbiddenError{n.permission}
	case n.guests == GuestsPlace && a.Guests, n.guests == GuestsLink && token != "", n.guests == AllGuests:
		return nil
	}
	return errSignIn
}

// The link token of a request: a parameter for links in mails, or a header for programs.
const (
	tokenParameter = "token"
	tokenHeader    = "Order-Token"
)

func linkToken(r *http.Request) (string, error) {
	given := append(r.URL.Query()[tokenParameter], r.Header.Values(tokenHeader)...)
	if len(given) > 1 {
		return "", newProblem(badParameter, "the link token must appear once: as the parameter token, or in the header Order-Token")
	}
	return strings.Join(given, ""), nil
}

// visitor is who sends a request: the principal, and the link token that the request has, or "".
type visitor struct {
	identity.Principal
	token string
}

func visitorOf(c echo.Context) visitor {
	token, _ := linkToken(c.Request()) // require has refused an ambiguous one
	return visitor{identity.From(c.Request().Context()), token}
}

// owns reports whether an order is the visitor's, or that of a guest whose link token it has.
func (v visitor) owns(o order.Order) bool {
	linked := o.LinkToken != "" && subtle.ConstantTimeCompare([]byte(v.token), []byte(o.LinkToken)) == 1
	return linked || o.Owner != (order.Actor{}) && o.Owner == v.Actor()
}

// check is nil for an order that the visitor owns, and for a visitor with a permission for the orders
// of others.
func (v visitor) check(o order.Order, others identity.Permission) error {
	if v.owns(o) || v.May(others) {
		return nil
	}
	return &forbiddenError{others}
}

// shown is a state as the visitor may see it.
func (v visitor) shown(s order.State) order.State {
	if v.check(s.Order, identity.ReadPersonal) != nil {
		s.Order, s.Payments = mask.Order(s.Order), each(s.Payments, mask.Payment)
	}
	return s
}
