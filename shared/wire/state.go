package wire

import (
	"encoding/json"
	"fmt"
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

// State is the record of an order's whole state, written by an owner.
func State(s order.State, owner int64) *kgo.Record {
	at := s.Timeline[len(s.Timeline)-1].At
	return record(TypeStatus, string(s.Order.ID), at, stateJSON(s),
		"owner", decimal(owner),
		"rev", decimal(s.Rev),
		"state", string(s.Status),
		"origin", decimal(s.Origin.Offset),
	)
}

// ReadHead reads the headers of a state, and no JSON.
func ReadHead(r *kgo.Record) (Head, error) {
	var h Head
	for name, into := range map[string]*int64{"owner": &h.Owner, "rev": &h.Rev, "origin": &h.Origin} {
		n, err := number(r, name)
		if err != nil {
			return Head{}, err
		}
		*into = n
	}
	h.Status = order.Status(Header(r, "state"))
	return h, nil
}

// ReadState reads the whole state.
func ReadState(r *kgo.Record) (order.State, error) {
	var v stateValue
	if err := decode(r.Value, &v); err != nil {
		return order.State{}, err
	}
	o, err := parseOrder(v.Order)
	if err != nil {
		return order.State{}, err
	}
	s := order.State{
		Order: o, BodyHash: v.BodyHash, Status: v.Status, Rev: v.Rev, Progress: v.Progress.progress(), Replays: v.Replays,
		Origin:  order.Origin{Incarnation: v.Incarnation, Partition: r.Partition, Offset: v.Origin},
		Letter:  (*order.Letter)(v.Letter),
		Unknown: unknown(r.Value, stateValue{}),
	}
	for _, c := range v.Timeline {
		s.Timeline = append(s.Timeline, order.Change(c))
	}
	return s, nil
}

// Claim is the record by which a worker takes a partition. Its offset is the fencing token of all that the worker writes there.
func Claim(worker string, at time.Time) *kgo.Record {
	value := mustJSON(struct {
		Schema int    `json:"schema"`
		Worker string `json:"worker"`
	}{Schema, worker})
	r := record(TypeClaim, worker, at, value)
	r.Key = []byte("claim")
	return r
}

type stateValue struct {
	Schema      int             `json:"schema"`
	Order       json.RawMessage `json:"order"`
	BodyHash    string          `json:"body_hash"`
	Incarnation string          `json:"incarnation"`
	Origin      int64           `json:"origin"`
	Status      order.Status    `json:"status"`
	Rev         int64           `json:"rev"`
	Progress    progressValue   `json:"progress"`
	Timeline    []change        `json:"timeline"`
	Letter      *letter         `json:"letter,omitempty"`
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

type letter struct {
	ID        string     `json:"id"`
	Partition int32      `json:"partition"`
	Offset    int64      `json:"offset"`
	Step      order.Step `json:"step,omitempty"`
	Reason    string     `json:"reason"`
}

func stateJSON(s order.State) []byte {
	v := stateValue{
		Schema: Schema, Order: orderJSON(s.Order), BodyHash: s.BodyHash, Incarnation: s.Origin.Incarnation,
		Origin: s.Origin.Offset, Status: s.Status, Rev: s.Rev, Progress: fromProgress(s.Progress), Replays: s.Replays,
		Letter: (*letter)(s.Letter),
	}
	for _, c := range s.Timeline {
		v.Timeline = append(v.Timeline, change(c))
	}
	return merge(mustJSON(v), s.Unknown)
}

// Progress writes an order's progress as it travels in a letter's header.
func Progress(p order.Progress) []byte { return mustJSON(fromProgress(p)) }

// ReadProgress reads what Progress wrote. Nothing at all is an order that nobody has begun.
func ReadProgress(data []byte) (order.Progress, error) {
	var v progressValue
	if len(data) == 0 {
		return order.Progress{}, nil
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return order.Progress{}, fmt.Errorf("%w: progress: %v", ErrUndecodable, err)
	}
	return v.progress(), nil
}
