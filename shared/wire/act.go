package wire

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// Act is an entry of the audit trail: an act of an operator, a sign-in, or an attempt that was
// denied. It is two records in orders.desk with different keys, so compaction removes neither: one
// without an outcome, written before the effect, and one with the outcome, written after it. An act
// without an effect is one record, with its outcome.
type Act struct {
	ID      string      // unique: letters, digits, "_" and "-", at most 100
	At      time.Time   // when the act began
	Cause   order.Cause // who acted
	Kind    string      // such as "refund": lower-case letters and "-", at most 40
	Target  string      // what was acted on, such as "order/ord_1"; at most MaxTarget bytes of printable ASCII
	Reason  string      // that the actor gave; one line of at most MaxReason characters; or empty
	Outcome Outcome
	Problem string // kind of the problem of a refused act, such as "order-begun"; the form of Kind; or empty
	Address string // network of the client, as netip.Prefix writes it; or empty
	Count   int    // how many attempts the act summarises, at least 1
}

// Outcome is the result of an act.
type Outcome string

// The outcomes. An act whose second record is missing is Unknown: the program ended, or Kafka did
// not answer.
const (
	Unknown Outcome = "unknown"
	Done    Outcome = "done"
	Refused Outcome = "refused"
)

// Outcomes returns all outcomes.
func Outcomes() []Outcome { return []Outcome{Unknown, Done, Refused} }

// Limits of the texts of an act.
const (
	MaxTarget = maxCause
	MaxReason = 200
	maxKind   = 40
)

// Record is the act as it is written to the topic of the desk.
func (a Act) Record() *kgo.Record {
	e := Envelope{Type: TypeAct, ID: a.key(), Time: a.At, Cause: a.Cause, content: jsonType}
	return e.Record([]byte(a.key()), mustJSON(actValue{
		schema, a.ID, Stamp(a.At), a.Kind, a.Target, a.Reason, a.Outcome, a.Problem, a.Address, a.Count,
	}), nil)
}

// key is different for the two records of an act.
func (a Act) key() string {
	if a.Outcome == Unknown {
		return "act/" + a.ID
	}
	return "act/" + a.ID + "/outcome"
}

// ReadAct reads an act.
func ReadAct(r *kgo.Record) (Act, error) {
	e, _, err := ReadEnvelope(r, TypeAct)
	if err != nil {
		return Act{}, err
	}
	var v actValue
	if err := decode(r.Value, &v); err != nil {
		return Act{}, err
	}
	a := Act{
		ID: v.ID, At: Unstamp(v.At), Cause: e.Cause, Kind: v.Act, Target: v.Target, Reason: v.Reason,
		Outcome: v.Outcome, Problem: v.Problem, Address: v.Address, Count: v.Count,
	}
	if fault := a.fault(); fault != "" || string(r.Key) != a.key() {
		return Act{}, fmt.Errorf("%w: act with key %.40q: %s", ErrUndecodable, r.Key, fault)
	}
	return a, nil
}

// fault names the first field that is not as Act describes it, or is "".
func (a Act) fault() string {
	prefix, err := netip.ParsePrefix(a.Address)
	switch {
	case !wellFormed(order.ID(a.ID)):
		return "id"
	case a.At.IsZero():
		return "at"
	case !kindOf(a.Kind):
		return "act"
	case !printable(a.Target):
		return "target"
	case order.TextFault(a.Reason, 0, MaxReason) != "":
		return "reason"
	case a.Outcome != Unknown && a.Outcome != Done && a.Outcome != Refused:
		return "outcome"
	case a.Problem != "" && (a.Outcome != Refused || !kindOf(a.Problem)):
		return "problem"
	case a.Address != "" && (err != nil || prefix.Masked().String() != a.Address):
		return "address"
	case a.Count < 1:
		return "count"
	}
	return ""
}

// kindOf reports whether a text is a kind of an act or of a problem.
func kindOf(text string) bool {
	for _, c := range text {
		if (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return text != "" && len(text) <= maxKind
}

type actValue struct {
	Schema  int     `json:"schema"`
	ID      string  `json:"id"`
	At      string  `json:"at"`
	Act     string  `json:"act"`
	Target  string  `json:"target"`
	Reason  string  `json:"reason,omitempty"`
	Outcome Outcome `json:"outcome"`
	Problem string  `json:"problem,omitempty"`
	Address string  `json:"address,omitempty"`
	Count   int     `json:"count"`
}
