package web

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/view"
)

// topicPage is the body of the page of a dead-letter topic of another program.
type topicPage struct {
	Topic   string
	Letters int       // that wait for a decision
	Expires time.Time // when Kafka deletes the first one, at the earliest; or zero
	Causes  []client.Group
	Rows    rows
	Writers []string // whose headers the dead letters of this page have
	To      string   // topic that the configuration replays to; or empty: the one that headers name
	Named   []target
	Replay  acts
}

// target is a topic to replay to that headers name, or empty, with how many dead letters of the page do.
type target struct {
	Topic string
	N     int
}

func (v topicPage) query() string { return url.Values{"topic": {v.Topic}}.Encode() }

// Export is the URL of an export of the topic in a format.
func (v topicPage) Export(format string) string {
	return "/v1/dead-letters/export?" + v.query() + "&format=" + format
}

func topicPath(name string) string { return "/desk/topics/" + url.PathEscape(name) }

func (p *Pages) topic(c echo.Context) error {
	name := c.Param("name")
	if !slices.Contains(p.front.Config.Foreign.DeadLetters, name) {
		return echo.ErrNotFound
	}
	f := view.DeadLetterFilter{Topic: name, States: view.Unsettled()}
	groups, _, err := p.front.Groups(c, f, maxCauses)
	if err != nil {
		return err
	}
	v := topicPage{Topic: name, Causes: groups, To: p.front.Config.Foreign.ReplayTo[name]}
	if all := p.topics(groups); len(all) > 0 {
		v.Letters, v.Expires = all[0].Letters, all[0].Expires
	}
	f.Limit, f.Cursor = perPage, c.QueryParam("cursor")
	if v.Rows, err = p.rows(c, f, topicPath(name), url.Values{}); err != nil {
		return err
	}
	v.maps()
	if v.Letters > 0 {
		v.Replay = p.offer(c, nil, identity.ReplayDeadLetters, act{Words: "Replay all " + number(v.Letters) + "…", To: "/desk/replays/new?" + v.query(), Class: "go"})
	}
	return p.showDesk(c, http.StatusOK, "desk_topic", page{Title: "Topic " + name}, deskPage{Crumbs: []crumb{{"Desk", "/desk"}, {"Other topics", "/desk#topics"}, {name, ""}}, Content: v})
}

// maps finds out whose headers the dead letters of the page have, and where they lead.
func (v *topicPage) maps() {
	for _, l := range v.Rows.Letters {
		if l.Foreign == nil {
			continue
		}
		if !slices.Contains(v.Writers, l.Foreign.Dialect) {
			v.Writers = append(v.Writers, l.Foreign.Dialect)
		}
		i := slices.IndexFunc(v.Named, func(t target) bool { return t.Topic == l.Foreign.ReplayTo })
		if i < 0 {
			i, v.Named = len(v.Named), append(v.Named, target{Topic: l.Foreign.ReplayTo})
		}
		v.Named[i].N++
	}
}
