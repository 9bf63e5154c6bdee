package wire

import (
	"encoding/json"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// Trail is what a state says about what stands in other topics, and about the mail. It is for readers that hold many
// orders against each other: it costs a fifth of the whole state.
type Trail struct {
	Number     string            // of the invoice, or empty
	Total      order.Money       // of the invoice
	Kept       *order.Kept       // or nil
	DeadLetter *order.DeadLetter // or nil
	Uncertain  int               // how often the mail was sent again although it may have gone out
	Parked     int64             // rev of the newest change to a parked status, with which a carried record goes; 0 if there is none
}

// ReadTrail reads the trail of a state. What else stands in the state may be wrong: ReadState tells.
func ReadTrail(r *kgo.Record) (Trail, error) {
	var v struct {
		Progress json.RawMessage `json:"progress"`
		Timeline []struct {
			Rev    int64        `json:"rev"`
			Status order.Status `json:"status"`
			Reason string       `json:"reason"`
		} `json:"timeline"`
		DeadLetter *deadLetter `json:"dead_letter"`
	}
	if err := decode(r.Value, &v); err != nil {
		return Trail{}, err
	}
	t := Trail{DeadLetter: (*order.DeadLetter)(v.DeadLetter)}
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
	for _, c := range v.Timeline {
		if c.Status.Parked() && !(order.Change{Reason: c.Reason}).Answers() {
			t.Parked = c.Rev
		}
	}
	return t, nil
}
