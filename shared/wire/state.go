package wire

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// Head is what the headers of a state say.
type Head struct {
	Owner  int64 // offset of the claim under which it was written
	Rev    int64
	Status order.Status
	Origin int64 // offset of the order in orders, same partition
}

const hState = "state"

// State is the record of an order's whole state, written by an owner. A state has at least one
// change in its timeline.
func State(s order.State, owner int64) *kgo.Record {
	e := Envelope{
		Type: TypeStatus, ID: string(s.Order.ID) + "/" + decimal(s.Rev), Time: s.Timeline[len(s.Timeline)-1].At, Cause: s.Order.Cause,
		Facts: []Fact{
			{hOwner, decimal(owner)},
			{hRev, decimal(s.Rev)},
			{hState, string(s.Status)},
			{hOrigin, decimal(s.Origin.Offset)},
		},
		content: jsonType,
	}
	e.schema = schemaOf(s.Order)
	return e.Record([]byte(s.Order.ID), stateJSON(s), nil)
}

// ReadHead reads the headers of a state, and no JSON.
func ReadHead(r *kgo.Record) (Head, error) {
	owner, err1 := number(r, hOwner)
	rev, err2 := number(r, hRev)
	origin, err3 := number(r, hOrigin)
	if err := cmp.Or(err1, err2, err3); err != nil {
		return Head{}, err
	}
	status := order.Status(Header(r, hState))
	if status == "" {
		return Head{}, fmt.Errorf("%w: no header state", ErrUndecodable)
	}
	return Head{Owner: owner, Rev: rev, Status: status, Origin: origin}, nil
}

// ReadState reads the whole state. The partition of its origin is that of the record; the cause of
// its order is read from the headers.
func ReadState(r *kgo.Record) (order.State, error) {
	var v stateValue
	if err := decode(r.Value, &v); err != nil {
		return order.State{}, err
	}
	o, err := parseOrder(v.Order)
	if err != nil {
		return order.State{}, err
	}
	o.Cause = causeOf(r.Headers)
	progress, err := ReadProgress(v.Progress)
	if err != nil {
		return order.State{}, err
	}
	if len(v.Timeline) == 0 {
		return order.State{}, fmt.Errorf("%w: a state without a timeline", ErrUndecodable)
	}
	s := order.State{
		Work: order.Work{
			Order: o, Progress: progress, Payments: payments(v.Payments),
			Origin: order.Origin{Incarnation: v.Incarnation, Partition: r.Partition, Offset: v.Origin},
		},
		BodyHash: v.BodyHash, Status: v.Status, Rev: v.Rev, Replays: v.Replays, Edit: v.Edit,
		DeadLetter: (*order.DeadLetter)(v.DeadLetter),
		Unknown:    unknown[string](r.Value, reflect.TypeFor[stateValue]()),
	}
	for _, c := range v.Timeline {
		s.Timeline = append(s.Timeline, order.Change(c))
	}
	return s, nil
}

// Restate returns a record of orders.status to be written again under the claim of another owner: a
// tombstone, or a state byte for byte, so that fields survive which this version does not know.
func Restate(r *kgo.Record, owner int64) *kgo.Record {
	again := &kgo.Record{Key: r.Key, Value: r.Value}
	if r.Value == nil {
		return again
	}
	for _, h := range r.Headers {
		if h.Key == hOwner {
			h.Value = []byte(decimal(owner))
		}
		again.Headers = append(again.Headers, h)
	}
	return again
}

// Claim is the record by which a worker becomes the owner of a partition. Its offset is the fencing
// token of all that the worker writes there.
type Claim struct {
	Group  string // consumer group of the worker; empty if it is not known
	Worker string
	At     time.Time
}

// Record is the claim as it is written to orders.status.
func (c Claim) Record() *kgo.Record {
	e := Envelope{
		Type: TypeClaim, ID: c.Worker + "/" + Stamp(c.At), Time: c.At,
		Cause: order.Cause{Actor: order.Actor{Kind: order.ActorService, ID: c.Worker}}, content: jsonType,
	}
	return e.Record([]byte("claim"), mustJSON(claimValue{schema, c.Worker, c.Group}), nil)
}

// ReadClaim returns what a claim says. A claim counts by its offset, so one that cannot be decoded
// is a claim without names.
func ReadClaim(r *kgo.Record) Claim {
	var v claimValue
	_ = json.Unmarshal(r.Value, &v)
	return Claim{v.Group, v.Worker, Unstamp(Header(r, hTime))}
}

type claimValue struct {
	Schema int    `json:"schema"`
	Worker string `json:"worker"`
	Group  string `json:"group,omitempty"`
}

type stateValue struct {
	Schema      int             `json:"schema"`
	Order       json.RawMessage `json:"order,omitempty"` // see stateJSON
	BodyHash    string          `json:"body_hash"`
	Incarnation string          `json:"incarnation"`
	Origin      int64           `json:"origin"`
	Status      order.Status    `json:"status"`
	Rev         int64           `json:"rev"`
	Progress    json.RawMessage `json:"progress,omitempty"`
	Payments    []paymentValue  `json:"payments,omitempty"`
	Timeline    []change        `json:"timeline"`
	DeadLetter  *deadLetter     `json:"dead_letter,omitempty"`
	Replays     int             `json:"replays,omitempty"`
	Edit        int             `json:"edit,omitempty"`
}

func (v *stateValue) version() int { return v.Schema }

type change struct {
	Rev    int64        `json:"rev"`
	At     time.Time    `json:"at"`
	Status order.Status `json:"status"`
	Step   order.Step   `json:"step,omitempty"`
	Reason string       `json:"reason,omitempty"`
	Replay int          `json:"replay,omitempty"`
	Job    string       `json:"job,omitempty"`
	Worker string       `json:"worker,omitempty"`
}

type deadLetter struct {
	ID        string     `json:"id"`
	Partition int32      `json:"partition"`
	Offset    int64      `json:"offset"`
	Step      order.Step `json:"step,omitempty"`
	Reason    string     `json:"reason"`
}

// stateJSON encodes a state. Order and progress are JSON already: encoding/json would read them again, which takes as
// long as to encode the progress.
func stateJSON(s order.State) []byte {
	v := stateValue{
		Schema: schemaOf(s.Order), BodyHash: s.BodyHash, Incarnation: s.Origin.Incarnation,
		Origin: s.Origin.Offset, Status: s.Status, Rev: s.Rev, Payments: fromPayments(s.Payments), Replays: s.Replays, Edit: s.Edit,
		DeadLetter: (*deadLetter)(s.DeadLetter),
	}
	for _, c := range s.Timeline {
		v.Timeline = append(v.Timeline, change(c))
	}
	return merge(with(with(mustJSON(v), "order", orderJSON(s.Order)), "progress", Progress(s.Progress)), s.Unknown)
}
