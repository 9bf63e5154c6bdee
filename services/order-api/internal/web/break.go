package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/services/order-api/internal/identity"
)

// Breaker breaks the system on purpose, for people who try it: the section "Break it" of the page of
// operations. Only all-in-one has one. It is safe for concurrent use, and its methods do not wait for the
// effect.
type Breaker interface {
	// Breaking is what can be broken, and what is.
	Breaking() Breaking
	// AddWorker starts another worker. The error is ErrManyWorkers if there are too many.
	AddWorker() error
	// EndWorker stops a worker of Breaking, which drains first, or kills it. The error is ErrNoWorker for
	// any other process.
	EndWorker(pid int, kill bool) error
	// Behave changes the mail server to one of MailBehaviours.
	Behave(name string)
	// Place places orders in the background: rate a second, or as fast as it can if rate is 0. The error is
	// ErrPlacing while it places earlier ones.
	Place(orders, rate int) error
	// PlaceBad appends a record that is no order to the topic of the orders.
	PlaceBad(ctx context.Context) error
}

// Breaking is what can be broken, and what is.
type Breaking struct {
	Workers []int  // process IDs of the workers that can be stopped or killed
	Mail    string // one of MailBehaviours; or empty: the mail server is not part of the program
	// Of the last orders that were placed: how many there are, were placed, and were refused so far. Total
	// is 0 if there were none.
	Total, Placed, Refused int
}

// The errors of a Breaker.
var (
	ErrNoWorker    = errors.New("no such worker of this program is running: reload the page")
	ErrManyWorkers = errors.New("enough workers of this program are running: stop one first")
	ErrPlacing     = errors.New("earlier orders are still being placed: try again when they are")
)

// MailBehaviours are how the mail server can behave, and the words for it.
func MailBehaviours() [][2]string {
	return [][2]string{
		{"works", "works"}, {"down", "is down"}, {"busy", "answers 451, try again later"}, {"slow", "is slow: 3 s a mail"}, {"hangs-up", "hangs up after the mail"},
	}
}

// The limits of orders that are placed at once.
const (
	maxLoad     = 2000 // orders
	maxLoadRate = 100  // orders a second
	maxLoadTime = 300  // seconds
)

// breakRoutes are those of the section, if there is a Breaker. Each act redirects to the page, is written
// to the audit trail, and needs the permission of operators.
func (p *Pages) breakRoutes() (all []httpapi.Page) {
	if p.Breaker == nil {
		return nil
	}
	for path, handler := range map[string]echo.HandlerFunc{"workers": p.breakWorkers, "mail": p.breakMail, "load": p.breakLoad, "record": p.breakRecord} {
		all = append(all, httpapi.Page{Method: http.MethodPost, Path: "/ops/break/" + path, Needs: identity.BreakSystem, Handler: handler})
	}
	return all
}

// breakView is what the section shows.
type breakView struct {
	Breaking
	Done    string        // what the visitor has just done; or empty
	Missing identity.Role // that the visitor needs; or empty
}

// Mails are the behaviours of the mail server.
func (breakView) Mails() [][2]string { return MailBehaviours() }

// breakButton is a button of the section.
type breakButton struct {
	Words, Name, Value string
	Missing            identity.Role
}

// Button is a button with a name and a value; or empty.
func (v breakView) Button(words, name, value string) breakButton {
	return breakButton{words, name, value, v.Missing}
}

// Danger reports whether the act cannot be taken back.
func (b breakButton) Danger() bool { return b.Value == "kill" }

// brokenActs are what the section says after the redirect of an act, by the parameter broke.
var brokenActs = map[string]string{
	"add": "A worker was started. It joins the group, and partitions move to it.", "stop": "The worker was told to stop: it finishes its orders in flight, and then leaves.",
	"kill": "The worker was killed.", "mail": "The mail server behaves differently now.", "load": "Orders are being placed.",
	"record": "A record that is no order was appended. It becomes a dead letter.",
}

// breakOf is the section, or nil: there is none.
func (p *Pages) breakOf(c echo.Context) *breakView {
	if p.Breaker == nil {
		return nil
	}
	v := &breakView{Breaking: p.Breaker.Breaking(), Done: brokenActs[c.QueryParam("broke")]}
	if !p.may(c, identity.BreakSystem) {
		v.Missing = httpapi.Least(identity.BreakSystem)
	}
	return v
}

// breaks does an act, which is recorded first, and redirects to the section.
func (p *Pages) breaks(c echo.Context, act, target string, effect func() error) error {
	err := p.front.Break(c, target, func() error {
		err := effect()
		switch {
		case errors.Is(err, ErrNoWorker):
			return refuse(http.StatusNotFound, "unknown-worker", "Worker not found", err.Error())
		case errors.Is(err, ErrManyWorkers):
			return refuse(http.StatusConflict, "many-workers", "Too many workers", err.Error())
		case errors.Is(err, ErrPlacing):
			return refuse(http.StatusConflict, "load-runs", "Orders are still being placed", err.Error())
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/ops?"+url.Values{"broke": {act}}.Encode()+"#break")
}

func wrongField(detail string) error {
	return refuse(http.StatusBadRequest, "bad-parameter", "Invalid parameter", detail)
}

func (p *Pages) breakWorkers(c echo.Context) error {
	act := c.FormValue("act")
	if act == "add" {
		return p.breaks(c, act, "worker/add", p.Breaker.AddWorker)
	}
	if act != "stop" && act != "kill" {
		return wrongField("act must be add, stop or kill")
	}
	pid, err := strconv.Atoi(c.FormValue("worker"))
	if err != nil {
		return wrongField("worker must be the ID of its process")
	}
	return p.breaks(c, act, "worker/"+strconv.Itoa(pid)+"/"+act, func() error { return p.Breaker.EndWorker(pid, act == "kill") })
}

func (p *Pages) breakMail(c echo.Context) error {
	name := c.FormValue("mail")
	if !slices.ContainsFunc(MailBehaviours(), func(b [2]string) bool { return b[0] == name }) {
		return wrongField("mail must be a behaviour of the mail server")
	}
	return p.breaks(c, "mail", "mail/"+name, func() error {
		if p.Breaker.Breaking().Mail == "" {
			return refuse(http.StatusConflict, "no-mail-server", "Mail server is not part of the program", "the mail server is another program")
		}
		p.Breaker.Behave(name)
		return nil
	})
}

func (p *Pages) breakLoad(c echo.Context) error {
	orders, err := strconv.Atoi(c.FormValue("orders"))
	if err != nil || orders < 1 || orders > maxLoad {
		return wrongField("orders must be a number from 1 to " + strconv.Itoa(maxLoad))
	}
	rate, err := strconv.Atoi(c.FormValue("rate"))
	if err != nil || rate < 0 || rate > maxLoadRate || rate > 0 && orders > rate*maxLoadTime {
		return wrongField("rate must be a number from 0 to " + strconv.Itoa(maxLoadRate) + ", and the orders must be placed within " + strconv.Itoa(maxLoadTime) + " s")
	}
	return p.breaks(c, "load", "load/"+strconv.Itoa(orders), func() error { return p.Breaker.Place(orders, rate) })
}

func (p *Pages) breakRecord(c echo.Context) error {
	return p.breaks(c, "record", "record/bad", func() error { return p.Breaker.PlaceBad(c.Request().Context()) })
}
