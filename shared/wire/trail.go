package wire

import (
	"encoding/json"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// Trail is the part of a state that is about other topics and about the mail. It is for readers that
// compare many orders with other topics: decoding it takes a fifth of the time of the whole state.
type Trail struct {
	Number     string            // of the invoice, or empty
	Total      order.Money       // of the invoice
	Kept       *order.Kept       // or nil
	DeadLetter *order.DeadLetter // or nil
	Uncertain  int               // how often the mail was sent again although it may have gone out
	Changes    int               // length of the timeline
	Replays    []Replayed        // what replay jobs asked for, once each, in the order of the timeline
	Torn       bool              // changes of one replay name two jobs
	Parked     int64             // rev of the newest change to a parked status, which its Parked record has too; or 0
}

// Replayed is a replay of an order that a job asked for.
type Replayed struct {
	Number int
	Job    string
}

// ReadTrail decodes the trail of a state. It does not check the rest of the state; ReadState does.
func ReadTrail(r *kgo.Record) (Trail, error) {
	var v struct {
		Progress   json.RawMessage `json:"progress"`
		Timeline   []trailChange   `json:"timeline"`
		DeadLetter *deadLetter     `json:"dead_letter"`
	}
	if err := decode(r.Value, &v); err != nil {
		return Trail{}, err
	}
	t := Trail{DeadLetter: (*order.DeadLetter)(v.DeadLetter), Changes: len(v.Timeline)}
	var p struct {
		Invoice *struct {
			Number string     `json:"number"`
			Total  money      `json:"total"`
			Kept   *keptValue `json:"kept"`
		} `json:"invoice"`
		Email *struct {
			Uncertain int `json:"uncertain"`
		} `json:"email"`
	}
	if len(v.Progress) > 0 {
		if err := parse(v.Progress, &p); err != nil {
			return Trail{}, err
		}
	}
	if i := p.Invoice; i != nil {
		t.Number, t.Total, t.Kept = i.Number, order.Money(i.Total), (*order.Kept)(i.Kept)
	}
	if p.Email != nil {
		t.Uncertain = p.Email.Uncertain
	}
	t.follow(v.Timeline)
	return t, nil
}

// trailChange is what a trail needs of a change.
type trailChange struct {
	Rev    int64        `json:"rev"`
	Status order.Status `json:"status"`
	Reason string       `json:"reason"`
	Replay int          `json:"replay"`
	Job    string       `json:"job"`
}

// follow notes what a timeline tells.
func (t *Trail) follow(timeline []trailChange) {
	made := map[int]string{} // the job of each replay that was begun
	for _, c := range timeline {
		answers := (order.Change{Reason: c.Reason}).Answers()
		if job, begun := made[c.Replay]; begun && !answers && job != c.Job {
			t.Torn = true
		}
		if !answers {
			made[c.Replay] = c.Job
		}
		if r := (Replayed{c.Replay, c.Job}); c.Job != "" && !slices.Contains(t.Replays, r) {
			t.Replays = append(t.Replays, r)
		}
		if c.Status.Parked() && !answers {
			t.Parked = c.Rev
		}
	}
}
