// Package web has the pages for people: shop, checkout and orders, and the recovery desk for operators.
//
// Pages are HTML of the server, and complete without JavaScript: forms post, the answer redirects
// (303), and links filter. app.js adds live cells, the times of the reader's zone, keys and copying.
// Handlers call httpapi.Front, which does what the routes of the JSON API do: no rule is here a second
// time. Errors go back to httpapi, which maps them to problems; a page shows one as Problem.
//
// render.go writes every page, with the policies that browsers enforce: nothing is loaded from
// another host, and no page has a script, a style or a handler of events inside. parts.go has what
// templates use for states, amounts and times, and assets.go serves the files, whose names have the
// hash of their content. All text of people is escaped by html/template.
//
// The files desk*.go are the recovery desk: causes, dead letters, replays and the audit trail. What a
// page shows and what its buttons do is that of the JSON API, masked for the visitor in the same place.
//
// signin.go signs browsers in and out, draft.go keeps what a form sent after the session had ended, and account.go shows a visitor what the program knows of them.
//
// The files ops*.go are the page of operations, whose charts ops.js draws with uPlot.
//
// The basket is a cookie, because it must survive a reload without JavaScript and on every instance.
package web

import (
	"fmt"
	"html/template"
	"log/slog"
	"net/http"

	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/session"
	"example.com/orders/shared/address"
)

// Config is the configuration of the pages.
type Config struct {
	Log   *slog.Logger
	Inbox string // URL of the mail inbox, which the navigation links to; or empty

	Breaker Breaker // or nil: there is no section "Break it"
}

// Pages are the pages. They implement httpapi.Web, and are safe for concurrent use.
type Pages struct {
	Config
	front     httpapi.Front
	countries *address.Countries
	drawings  map[string]string // paths of SVG by SKU or category
	assets    *assets
	templates map[string]*template.Template // by name of the page
	drafts    *session.Store[draft]
}

// New returns the pages. Its error is a bug.
func New(cfg Config) (*Pages, error) {
	countries, err := address.Load()
	if err != nil {
		return nil, err
	}
	files, err := loadAssets()
	if err != nil {
		return nil, fmt.Errorf("reading assets: %w", err)
	}
	p := &Pages{Config: cfg, countries: countries, assets: files, drawings: loadDrawings(), drafts: newDrafts()}
	if p.templates, err = parseTemplates(files); err != nil {
		return nil, fmt.Errorf("parsing templates: %w", err)
	}
	return p, nil
}

// Pages implements httpapi.Web.
func (p *Pages) Pages(f httpapi.Front) []httpapi.Page {
	p.front = f
	const get, post = http.MethodGet, http.MethodPost
	return append(append(p.deskRoutes(), p.breakRoutes()...), []httpapi.Page{
		{Method: get, Path: "/", Needs: identity.PlaceOrders, Guests: httpapi.GuestsPlace, Handler: p.shop},
		{Method: post, Path: "/basket", Needs: identity.PlaceOrders, Guests: httpapi.GuestsPlace, Handler: p.changeBasket},
		{Method: get, Path: "/checkout", Needs: identity.PlaceOrders, Guests: httpapi.GuestsPlace, Handler: p.checkout},
		{Method: post, Path: "/checkout", Needs: identity.PlaceOrders, Guests: httpapi.GuestsPlace, Handler: p.placeOrder},
		{Method: get, Path: "/orders", Needs: identity.ReadOrders, Handler: p.orders},
		{Method: get, Path: "/orders/:id", Needs: identity.ReadOrders, Guests: httpapi.GuestsLink, Handler: p.order},
		{Method: get, Path: "/orders/:id/events", Needs: identity.ReadOrders, Guests: httpapi.GuestsLink, Handler: p.watchOrder},
		{Method: post, Path: "/orders/:id/cancel", Needs: identity.CancelOrders, Guests: httpapi.GuestsLink, Handler: p.cancelOrder},
		{Method: get, Path: "/orders/:id/refund", Needs: identity.RefundOrders, Handler: p.askRefund},
		{Method: post, Path: "/orders/:id/refund", Needs: identity.RefundOrders, Handler: p.refundOrder},
		{Method: get, Path: "/sign-in", Handler: p.signIn},
		{Method: post, Path: "/sign-in", Handler: p.signInWithKey},
		{Method: get, Path: "/sign-in/left", Handler: p.sessionLeft},
		{Method: get, Path: resumePath, Needs: identity.PlaceOrders, Handler: p.resume},
		{Method: post, Path: "/sign-out", Handler: p.signOut},
		{Method: get, Path: "/account", Needs: identity.PlaceOrders, Guests: httpapi.AllGuests, Handler: p.account},
		{Method: post, Path: "/account", Needs: identity.PlaceOrders, Guests: httpapi.AllGuests, Handler: p.setLooks},
		{Method: post, Path: "/account/sessions", Needs: identity.PlaceOrders, Handler: p.endSession},
		{Method: get, Path: "/ops", Needs: identity.ReadStats, Handler: p.ops},
		{Method: get, Path: "/ops/events", Needs: identity.ReadStats, Handler: p.watchOps},
		{Method: get, Path: "/assets/:file", Handler: p.asset},
	}...)
}
