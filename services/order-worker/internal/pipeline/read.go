package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// read makes an attempt of a record: of a placed order, of a parked order, or of a request for a replay.
func (p *Pipeline) read(ctx context.Context, l *ledger.Ledger, r *kgo.Record) (*attempt, error) {
	if r.Topic == p.cfg.Topics.Orders {
		source := wire.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Origin: l.Origin(r.Offset)}
		return &attempt{pending: wire.Parked{Source: source, Cause: wire.CauseOf(r)}}, nil
	}
	var a *attempt
	var err error
	if r.Topic == p.cfg.Topics.Replay {
		a, err = replayed(r)
	} else {
		a = &attempt{from: fromParked}
		a.pending, err = wire.ReadParked(r)
		a.replay = a.pending.Replay
	}
	if err == nil {
		a.pending.Origin = l.Origin(a.pending.Origin.Offset)
		err = origin(ctx, l, a)
	}
	if errors.Is(err, wire.ErrUndecodable) {
		a.todo, a.why = ignore, err
		return a, nil
	}
	return a, err
}

// replayed makes an attempt of a request for a replay. It starts with all retries.
func replayed(r *kgo.Record) (*attempt, error) {
	q, err := wire.ReadReplayRequest(r)
	a := &attempt{from: fromReplay, replay: q.Number, stateAt: q.StateAt, dry: q.DryRun, pending: wire.Parked{
		Source: q.Source, Cause: q.Placed, Rev: q.Rev, Attempts: q.Attempts, FirstFailed: q.FirstFailed, Progress: q.Progress,
		Job: q.Job, Edit: q.Edit,
	}}
	if q.Rev == 0 {
		a.stateAt = ledger.Unseen // the dead letter of a record that is no order
	}
	return a, err
}

// origin compares a record with the record of orders that it names. Without a record there yet, or with
// that of another order, it is wire.ErrUndecodable: the topic was created again, or another program wrote
// the record. A record of orders that is gone contradicts nothing. The record of a parked order is
// compared with the order's state.
func origin(ctx context.Context, l *ledger.Ledger, a *attempt) error {
	at := a.pending.Origin
	placed, err := l.Placed(ctx, at.Offset)
	if err == nil && !placed {
		return fmt.Errorf("%w: %s has no record yet", wire.ErrUndecodable, at)
	}
	if err != nil || a.from == fromParked || len(a.pending.Key) == 0 {
		return err
	}
	r, err := l.Source(ctx, at.Offset)
	if errors.Is(err, kafka.ErrGone) {
		return nil
	}
	if err == nil && !bytes.Equal(r.Key, a.pending.Key) {
		return fmt.Errorf("%w: the record at %s has another key", wire.ErrUndecodable, at)
	}
	if err == nil && a.pending.Edit > 0 {
		if o, odd := wire.ReadOrder(r); odd == nil {
			a.placed = &o
		}
	}
	return err
}

// placed reads the order. A record that is no order, or that is not in the partition of its key, is a
// permanent failure: an ID must not name two orders in two partitions.
func (p *Pipeline) placed(s *wire.Source) (order.Order, error) {
	o, err := s.Order()
	if errors.Is(err, wire.ErrUndecodable) {
		return order.Order{}, failure.New(failure.Permanent, failure.Undecodable, err)
	}
	if home := p.cfg.Home(s.Key, s.Headers); err == nil && home != s.Origin.Partition {
		err = fmt.Errorf("order %s belongs to partition %d and is in partition %d", o.ID, home, s.Origin.Partition)
		return order.Order{}, failure.New(failure.Permanent, failure.WrongPartition, err)
	}
	return o, err
}

// permanent reports whether an error is a failure that no attempt can cure.
func permanent(err error) bool {
	class, _ := failure.Of(err)
	return err != nil && class == failure.Permanent
}
