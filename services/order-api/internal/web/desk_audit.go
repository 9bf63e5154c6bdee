package web

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
)

// auditPage is the body of the audit trail.
type auditPage struct {
	Acts  []actRow
	Query url.Values
	Given bool   // there is a filter
	Next  string // URL of the next page; or empty
	First bool
}

// actRow is an act, and the page of what it was done to, or empty.
type actRow struct {
	client.Act
	Look stateWords
	URL  string
}

// targetPages are the pages of what acts are done to, by the beginnings of their targets.
var targetPages = map[string]string{"dead-letter": "/desk/dead-letters/", "cause": "/desk/groups/", "replay": "/desk/replays/", "order": "/orders/"}

func (p *Pages) audit(c echo.Context) error {
	if redirected, err := tidied(c); redirected {
		return err
	}
	f, err := p.front.ActFilter(c)
	if err != nil {
		return err
	}
	acts, next, err := p.front.Acts(c, f)
	if err != nil {
		return err
	}
	q := c.QueryParams()
	v := auditPage{First: f.Cursor == ""}
	q.Del("cursor")
	v.Query, v.Given = q, len(q) > 0
	for _, a := range acts {
		row := actRow{Act: a, Look: wording(outcomes, a.Outcome)}
		kind, id, _ := strings.Cut(a.Target, "/")
		if path := targetPages[kind]; path != "" && id != "" {
			row.URL = path + url.PathEscape(id)
		}
		v.Acts = append(v.Acts, row)
	}
	if next != "" {
		more := url.Values{"cursor": {next}}
		for name, values := range q {
			more[name] = values
		}
		v.Next = "/desk/audit?" + more.Encode()
	}
	return p.showDesk(c, http.StatusOK, "desk_audit", page{Title: "Audit"}, deskPage{Tab: "audit", Content: v})
}

// Value is a filter of the list, or empty.
func (v auditPage) Value(name string) string { return v.Query.Get(name) }

// Outcomes are the outcomes of acts.
func (auditPage) Outcomes() []string { return slices.Sorted(maps.Keys(outcomes)) }
