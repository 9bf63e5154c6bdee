package web

import (
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/session"
	"example.com/orders/shared/serve"
)

// accountPage is the body of the page of the visitor's account.
type accountPage struct {
	Who      identity.Principal
	Open     bool     // there is no sign-in: each request is that of one principal
	May      []string // what the visitor may do, in words
	Sessions []session.Open
	Current  bool            // the request has one of the sessions
	Keys     []client.APIKey // or nil
	Manages  bool            // the visitor may see the keys
	Theme    string
	NoKeys   bool
	Done     string // what the visitor has just done; or empty
	SignIn   string // URL to sign in at; or empty
}

// mayWords are the permissions in words.
var mayWords = map[identity.Permission]string{
	identity.PlaceOrders: "Place orders", identity.ReadOrders: "See your own orders", identity.CancelOrders: "Cancel your own orders",
	identity.ReadAnyOrder: "See the orders of everybody", identity.ReadDeadLetters: "See dead letters, causes and replays", identity.ReadStats: "See what the system is doing",
	identity.ReadPersonal: "See names, addresses and notes of customers", identity.NoteDeadLetters: "Write notes, and assign causes",
	identity.RecordPayments: "Record payments", identity.CancelAnyOrder: "Cancel the orders of everybody", identity.RefundOrders: "Refund orders", identity.ReplayDeadLetters: "Replay dead letters",
	identity.EditDeadLetters: "Edit, discard and restore dead letters", identity.ManageKeys: "See API keys", identity.ReadAudit: "Read the audit trail",
}

var doneAccount = map[string]string{"looks": "Your settings were saved in this browser.", "session": "The session was ended."}

func (p *Pages) account(c echo.Context) error {
	who := identity.From(c.Request().Context())
	v := accountPage{Who: who, Open: who == identity.DemoOperator(), Manages: p.may(c, identity.ManageKeys), Done: doneAccount[c.QueryParam("done")]}
	for _, one := range who.Role.Permissions() {
		v.May = append(v.May, mayWords[one])
	}
	if !who.Guest() {
		v.Sessions = p.front.MySessions(c)
		v.Current = slices.ContainsFunc(v.Sessions, func(s session.Open) bool { return s.Current })
	}
	if v.Manages {
		v.Keys = p.front.APIKeys()
	}
	if p.signsIn() && (who.Guest() || v.Open) {
		v.SignIn = signInPath(c.Request())
	}
	v.Theme, v.NoKeys = looksOf(c.Request())
	return p.show(c, http.StatusOK, "account", page{Title: "Account", Place: "account", Body: v})
}

// looksOf are the settings of a browser: the theme, or empty for that of the system, and whether single
// keys are switched off.
func looksOf(r *http.Request) (theme string, noKeys bool) {
	if c, err := r.Cookie("theme"); err == nil && (c.Value == "light" || c.Value == "dark") {
		theme = c.Value
	}
	if c, err := r.Cookie("keys"); err == nil {
		noKeys = c.Value == "off"
	}
	return theme, noKeys
}

// setLooks keeps the settings of the browser in cookies.
func (p *Pages) setLooks(c echo.Context) error {
	theme, keys := c.FormValue("theme"), c.FormValue("keys")
	if !slices.Contains([]string{"system", "light", "dark"}, theme) || !slices.Contains([]string{"", "on"}, keys) {
		return refuse(http.StatusUnprocessableEntity, "bad-parameter", "Invalid parameter", "theme must be system, light or dark, and keys must be on or missing")
	}
	if theme == "system" {
		theme = ""
	}
	if keys = "off"; c.FormValue("keys") == "on" {
		keys = ""
	}
	setLook(c, "theme", theme)
	setLook(c, "keys", keys)
	return done(c, "/account", "looks")
}

// setLook keeps a setting for a year, or deletes it if it is empty.
func setLook(c echo.Context, name, value string) {
	age := int((365 * 24 * time.Hour).Seconds())
	if value == "" {
		age = -1
	}
	c.SetCookie(&http.Cookie{Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: serve.Encrypted(c.Request())})
}

// endSession ends a session of the visitor, or all. After the one of this browser the visitor is signed out. Or it does
// nothing but use the session, which then ends later: the answer is when.
func (p *Pages) endSession(c echo.Context) error {
	if c.FormValue("act") == "stay" {
		return p.sessionLeft(c)
	}
	id := c.FormValue("id")
	if c.FormValue("act") == "all" {
		id = ""
	} else if id == "" {
		return refuse(http.StatusUnprocessableEntity, "bad-parameter", "Invalid parameter", "id must name a session")
	}
	mine := func(s session.Open) bool { return s.Current && (id == "" || s.ID == id) }
	if slices.ContainsFunc(p.front.MySessions(c), mine) {
		if id == "" {
			p.front.EndSession(c, "")
		}
		return p.signOut(c)
	}
	p.front.EndSession(c, id)
	return done(c, "/account", "session")
}
