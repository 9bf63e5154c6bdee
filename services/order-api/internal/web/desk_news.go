package web

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/view"
)

// news is how many dead letters a list lacks. The list never changes under the reader, who asks to see them.
type news struct {
	N    int
	At   time.Time // when the list was read
	Show string    // URL of the list
}

// seen is what a list shows: the position at which its event stream begins.
type seen struct {
	At    time.Time
	Marks map[string][]int64 // of view.View.Marks
}

// lists are the pages with an event stream by the parameter view. That of a cause has its ID after its path.
var lists = map[string]string{"causes": "/desk", "dead-letters": "/desk/dead-letters", "cause": "/desk/groups/"}

// newsOf is called before a list is read, with the query string of its filter. live is the URL of its event stream.
func (p *Pages) newsOf(list, filter string) (n news, live string) {
	s := seen{time.Now().UTC().Truncate(time.Second), p.front.Marks()}
	text, _ := json.Marshal(s)         // times and numbers
	q, _ := url.ParseQuery(filter)     // it was encoded
	n = news{0, s.At, showOf(list, q)} // before the parameters of the stream
	q.Set("view", list)
	q.Set("since", base64.RawURLEncoding.EncodeToString(text))
	return n, "/desk/events?" + q.Encode()
}

// showOf is the URL of the first page of a list.
func showOf(list string, filter url.Values) string {
	if list == "cause" {
		return lists[list] + url.PathEscape(filter.Get("cause"))
	}
	return filters{Action: lists[list], Query: filter}.Without("")
}

// watchDesk streams the number of new dead letters of a list.
func (p *Pages) watchDesk(c echo.Context) error {
	f, err := p.front.DeadLetterFilter(c, "view", "since")
	if err != nil {
		return err
	}
	q := c.QueryParams()
	list, text := q.Get("view"), []byte(nil)
	var s seen
	text, err = base64.RawURLEncoding.DecodeString(q.Get("since"))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil || s.Marks == nil || lists[list] == "" {
		return wrongField("view and since must be those of a list")
	}
	if f.Since = s.Marks; f.States == nil {
		f.States = view.Unsettled()
	}
	q.Del("view")
	q.Del("since")
	show := showOf(list, q)
	return p.front.WatchDeadLetters(c, f, func(w io.Writer, n int) error {
		if n < 0 {
			return writeBeat(w)
		}
		cells, err := p.part("desk_causes", "news", news{n, s.At, show})
		if err == nil {
			err = writeEvent(w, "event: cells\n", cells)
		}
		return err
	})
}
