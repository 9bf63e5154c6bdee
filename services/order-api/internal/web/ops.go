package web

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client/system"
)

// opsPage is the body of the page of operations. Everything that it says is relative to the time of the
// statistics, so that a part changes only if its facts do.
type opsPage struct {
	system.Stats
	Break *breakView // or nil: there is no section "Break it"
}

// opsParts are the templates of the parts that are sent when they have changed. The element of each has
// its name as ID. The workers are apart: each has a part of its own.
var opsParts = []string{"head", "strips", "now", "say", "latency", "dependencies", "owners", "topics", "jobs", "changes"}

func (p *Pages) ops(c echo.Context) error {
	v := opsPage{p.front.System(c.Request().Context()), p.breakOf(c)}
	return p.show(c, http.StatusOK, "ops", page{Title: v.Title(), Place: "ops", Live: "/ops/events", Body: v})
}

// breakParts are those of the section "Break it".
var breakParts = []string{"break-workers", "break-mail", "break-load"}

// watchOps streams the parts of the page that have changed, and the new points of the charts.
func (p *Pages) watchOps(c echo.Context) error {
	s := opsStream{part: p.part, broken: func() *breakView { return p.breakOf(c) }}
	return p.front.WatchStats(c, s.send)
}

// opsStream is what a browser has been sent.
type opsStream struct {
	part   func(name, part string, v any) ([]byte, error)
	broken func() *breakView            // of opsPage
	sent   map[string][sha256.Size]byte // hashes of the parts by name
	blocks string                       // IDs of the blocks of workers
}

// send is an httpapi.StatsSender. The points come first: a page without a connection of its own leaves
// after the event that follows them.
func (s *opsStream) send(w io.Writer, now *system.Stats) error {
	if now == nil {
		return writeBeat(w)
	}
	v := opsPage{*now, s.broken()}
	if len(v.Points) > 0 {
		rows, err := s.part("ops", "points", v)
		if err == nil {
			err = writeEvent(w, "event: points\n", rows)
		}
		if err != nil {
			return err
		}
	}
	changed, err := s.changed(v)
	if err != nil {
		return err
	}
	if len(changed) == 0 {
		return writeEvent(w, fmt.Sprintf("id: %d\nevent: beat\n", now.Rev), nil)
	}
	return writeCells(w, now.Rev, changed)
}

// changed returns the parts that differ from those sent before. If workers come or go, all are sent.
func (s *opsStream) changed(v opsPage) (all []byte, err error) {
	sent, ids, workers := map[string][sha256.Size]byte{}, "", []byte{}
	note := func(name string, html []byte, out *[]byte) {
		if sent[name] = sha256.Sum256(html); sent[name] != s.sent[name] {
			*out = append(append(*out, html...), '\n')
		}
	}
	render := func(names []string, of any) error {
		for _, name := range names {
			html, err := s.part("ops", name, of)
			if err != nil {
				return err
			}
			note(name, html, &all)
		}
		return nil
	}
	if err := render(opsParts, v); err != nil {
		return nil, err
	}
	if v.Break != nil {
		if err := render(breakParts, *v.Break); err != nil {
			return nil, err
		}
	}
	for _, b := range v.Blocks() {
		html, err := s.part("ops", "block", b)
		if err != nil {
			return nil, err
		}
		ids += b.ID() + "\n"
		note(b.ID(), html, &workers)
	}
	if ids != s.blocks || s.sent == nil {
		if workers, err = s.part("ops", "map", v); err != nil {
			return nil, err
		}
	}
	s.sent, s.blocks = sent, ids
	return append(all, workers...), nil
}

// opsBlock is a worker, or the partitions without an owner.
type opsBlock struct {
	*system.Worker        // nil: the partitions have no owner, or an unknown one
	Unknown        bool   // the owner is not known
	Joined         string // how long ago, if that is less than a minute; or empty
	Cells          []opsCell
}

// opsCell is a partition under its owner, or under one that still gives it up.
type opsCell struct {
	Number            int32
	Class, Kind, Text string
	Hidden            string // the state, if the text does not say it
	Reason            string // why it is blocked; or empty
}

// ID is the ID of the block's element.
func (b opsBlock) ID() string {
	if b.Worker == nil {
		return "unowned"
	}
	return "w-" + b.Worker.ID
}

// Blocks are the partitions without an owner, if there are any, and then the workers, the oldest first.
func (v opsPage) Blocks() []opsBlock {
	unowned, cell := opsBlock{Unknown: !v.WorkersKnown()}, opsCell{Class: "held", Kind: "dead", Text: "no owner"}
	if unowned.Unknown {
		cell = opsCell{Kind: "todo", Text: "not known"}
	}
	owned := map[string][]opsCell{}
	owners := map[int32]string{}
	for _, p := range v.Partitions {
		if p.Owner == nil {
			cell.Number = p.Number
			unowned.Cells = append(unowned.Cells, cell)
			continue
		}
		owners[p.Number] = *p.Owner
		owned[*p.Owner] = append(owned[*p.Owner], opsCellOf(p))
	}
	var all []opsBlock
	if unowned.Cells != nil {
		all = append(all, unowned)
	}
	for i := range v.Workers {
		w := &v.Workers[i]
		b := opsBlock{Worker: w, Cells: owned[w.ID]}
		if age := v.At.Sub(w.StartedAt); age >= 0 && age < newFor {
			b.Joined = span(max(1, age.Truncate(time.Second).Seconds()))
		}
		for _, number := range w.Partitions {
			if owner := owners[number]; owner != w.ID && owner != "" && w.State == "live" {
				b.Cells = append(b.Cells, opsCell{number, "gone", "run", "draining", "", ""})
			}
		}
		all = append(all, b)
	}
	return all
}

// opsCellOf is a partition under its owner.
func opsCellOf(p system.Partition) opsCell {
	c := opsCell{Number: p.Number, Kind: "todo", Text: "not known"}
	if p.State != nil {
		c.Text = *p.State
	}
	switch c.Text {
	case "running":
		c.Kind, c.Hidden, c.Text = "ok", "running, ", "lag "+known(p.Lag)
	case "blocked":
		c.Class, c.Kind, c.Reason = "held", "dead", p.Reason
	case "assigned", "restoring":
		c.Class, c.Kind = "move", "run"
	case "draining":
		c.Class, c.Kind = "gone", "run"
	}
	return c
}

// Blocked are the partitions of the block that are blocked.
func (b opsBlock) Blocked() (all []opsCell) {
	for _, c := range b.Cells {
		if c.Kind == "dead" && b.Worker != nil {
			all = append(all, c)
		}
	}
	return all
}

// workerName is the ID of a worker in two parts: the first tells it from others, and is shown.
type workerName struct{ Shown, Rest string }

func nameOf(id string) workerName {
	const shown = len("wrk_") + 6
	if len(id) <= shown || !strings.HasPrefix(id, "wrk_") {
		return workerName{id, ""}
	}
	return workerName{id[:shown], id[shown:]}
}

// Missing is how many records the read model is behind.
func (v opsPage) Missing() int { return int(v.ReadModel.Lag) }
