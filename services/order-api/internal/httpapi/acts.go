package httpapi

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/wire"
)

// record writes an act to the audit trail before its effect, and its outcome after it. If the act
// cannot be written, it has no effect and the error is trail.ErrUnwritten.
func (a *api) record(c echo.Context, act trail.Act, effect func() error) error {
	act.Address = serve.ClientAddr(c.Request()).String()
	end, err := a.Trail.Begin(c.Request().Context(), act)
	if err != nil {
		return err
	}
	err = effect()
	end(outcomeOf(err))
	return err
}

// outcomeOf is the outcome of an act by the answer that it gets. After a 5xx it may have been done
// or not.
func outcomeOf(err error) (outcome wire.Outcome, problem string) {
	if err == nil {
		return wire.Done, ""
	}
	p := toProblem(err)
	if p.Status >= http.StatusInternalServerError {
		return wire.Unknown, ""
	}
	return wire.Refused, strings.TrimPrefix(p.Type, "/problems/")
}

// denied is what Config.Denied does by default.
func (a *api) denied(r *http.Request, p identity.Principal, needed identity.Permission) {
	ctx := identity.With(r.Context(), p)
	act := trail.Act{Kind: trail.Denied, Target: r.Method + " " + r.URL.Path, Reason: "needs " + string(needed), Address: serve.ClientAddr(r).String()}
	a.Trail.Attempt(ctx, act, "forbidden")
}

// ActFilter reads the filter of a list of acts from the query string.
func (a *api) ActFilter(c echo.Context) (view.ActFilter, error) {
	q := query(c, "actor", "act", "target", "outcome", "from", "to", "limit", "cursor")
	f := view.ActFilter{
		Actor: q.text("actor"), Kind: q.text("act"), Target: q.text("target"), Outcome: oneOf(&q, "outcome", wire.Outcomes()...),
		From: q.time("from"), To: q.time("to"), Limit: q.limit(), Cursor: c.QueryParam("cursor"),
	}
	return f, q.wrong
}

func (a *api) listActs(c echo.Context) error {
	f, err := a.ActFilter(c)
	if err != nil {
		return err
	}
	acts, next, err := a.Acts(c, f)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, actPage{acts, next})
}

// Acts returns a page of the audit trail, and the cursor of the next one.
func (a *api) Acts(c echo.Context, f view.ActFilter) ([]client.Act, string, error) {
	acts, next, err := a.view.Acts(c.Request().Context(), f)
	return each(acts, toAct), next, err
}
