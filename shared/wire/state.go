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

// Head is what a record of orders.status says in its headers.
type Head struct {
	Owner  int64 // offset of the claim under which it was written
	Rev    int64
	Status order.Status
	Origin int64 // offset of the order in orders, same partition
}

// State is the record of an order's whole state, written by an owner. A state has at least one change in its timeline.
func State(s order.State, owner int64) *kgo.Record {
	at := s.Timeline[len(s.Timeline)-1].At
	return record(TypeStatus, string(s.Order.ID), string(s.Order.ID)+"/"+decimal(s.Rev), at, stateJSON(s),
		"owner", decimal(owner),
		"rev", decimal(s.Rev),
		"state", string(s.Status),
		"origin", decimal(s.Origin.Offset),
	)
}

// ReadHead reads the headers of a state, and no JSON.
func ReadHead(r *kgo.Record) (Head, error) {
	owner, err1 := number(r, "owner")
	rev, err2 := number(r, "rev")
	origin, err3 := number(r, "origin")
	if err := cmp.Or(err1, err2, err3); err != nil {
		return Head{}, err
	}
	status := order.Status(Header(r, "state"))
	if status == "" {
		return Head{}, fmt.Errorf("%w: no header state", ErrUndecodable)
	}
	return Head{Owner: owner, Rev: rev, Status: status, Origin: origin}, nil
}

// ReadState reads the whole state. The partition of its origin is that of the record.
func ReadState(r *kgo.Record) (order.State, error) {
	var v stateValue
	if err := decode(r.Value, &v); err != nil {
		return order.State{}, err
	}
	o, err := parseOrder(v.Order)
	if err != nil {
		return order.State{}, err
	}
	progress, err := ReadProgress(v.Progress)
	if err != nil {
		return order.State{}, err
	}
	if len(v.Timeline) == 0 {
		return order.State{}, fmt.Errorf("%w: a state without a timeline", ErrUndecodable)
	}
	s := order.State{
		Work: order.Work{
			Order: o, Progress: progress,
			Origin: order.Origin{Incarnation: v.Incarnation, Partition: r.Partition, Offset: v.Origin},
		},
		BodyHash: v.BodyHash, Status: v.Status, Rev: v.Rev, Replays: v.Replays,
		DeadLetter: (*order.DeadLetter)(v.DeadLetter),
		Unknown:    unknown[string](r.Value, reflect.TypeFor[stateValue]()),
	}
	for _, c := range v.Timeline {
		s.Timeline = append(s.Timeline, order.Change(c))
	}
	return s, nil
}

// Restate is a record of orders.status once more, under the claim of another owner: a state byte for byte, so that what its
// writer's version knew is kept whether or not this one can read it, or a tombstone.
func Restate(r *kgo.Record, owner int64) *kgo.Record {
	again := &kgo.Record{Key: r.Key, Value: r.Value}
	if r.Value == nil {
		return again
	}
	for _, h := range r.Headers {
		if h.Key == "owner" {
			h.Value = []byte(decimal(owner))
		}
		again.Headers = append(again.Headers, h)
	}
	return again
}

// Claim is GroupClaim for a worker whose group is not known.
func Claim(worker string, at time.Time) *kgo.Record { return GroupClaim("", worker, at) }

// GroupClaim is the record by which a worker of a consumer group takes a partition. Its offset is the fencing token of all that
// the worker writes there.
func GroupClaim(group, worker string, at time.Time) *kgo.Record {
	value := mustJSON(claimValue{schema, worker, group})
	return record(TypeClaim, "claim", worker+"/"+at.UTC().Format(time.RFC3339Nano), at, value)
}

// ReadClaim returns the consumer group and the worker that a claim names, or empty strings where it names none.
func ReadClaim(r *kgo.Record) (group, worker string) {
	var v claimValue
	// A claim counts by its offset, whatever it says of itself.
	_ = json.Unmarshal(r.Value, &v)
	return v.Group, v.Worker
}

type claimValue struct {
	Schema int    `json:"schema"`
	Worker string `json:"worker"`
	Group  string `json:"group,omitempty"`
}

type stateValue struct {
	Schema      int             `json:"schema"`
	Order       json.RawMessage `json:"order"`
	BodyHash    string          `json:"body_hash"`
	Incarnation string          `json:"incarnation"`
	Origin      int64           `json:"origin"`
	Status      order.Status    `json:"status"`
	Rev         int64           `json:"rev"`
	Progress    json.RawMessage `json:"progress"`
	Timeline    []change        `json:"timeline"`
	DeadLetter  *deadLetter     `json:"dead_letter,omitempty"`
	Replays     int             `json:"replays,omitempty"`
}

type change struct {
	Rev    int64        `json:"rev"`
	At     time.Time    `json:"at"`
	Status order.Status `json:"status"`
	Step   order.Step   `json:"step,omitempty"`
	Reason string       `json:"reason,omitempty"`
	Replay int          `json:"replay,omitempty"`
}

type deadLetter struct {
	ID        string     `json:"id"`
	Partition int32      `json:"partition"`
	Offset    int64      `json:"offset"`
	Step      order.Step `json:"step,omitempty"`
	Reason    string     `json:"reason"`
}

func stateJSON(s order.State) []byte {
	v := stateValue{
		Schema: schema, Order: orderJSON(s.Order), BodyHash: s.BodyHash, Incarnation: s.Origin.Incarnation,
		Origin: s.Origin.Offset, Status: s.Status, Rev: s.Rev, Progress: Progress(s.Progress), Replays: s.Replays,
		DeadLetter: (*deadLetter)(s.DeadLetter),
	}
	if s.Order.Refund != nil {
		v.Schema = refunds
	}
	for _, c := range s.Timeline {
		v.Timeline = append(v.Timeline, change(c))
	}
	return merge(mustJSON(v), s.Unknown)
}
