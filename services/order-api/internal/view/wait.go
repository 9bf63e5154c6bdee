package view

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
)

// Health is how far the view is behind the topics.
type Health struct {
	Lag     int64     // records not applied yet, as of the last look
	Fresh   time.Time // the newest time at which nothing was missing; zero before the first
	Trouble string    // why the file cannot be written, or is being built again; or empty
	Void    int64     // states that were skipped because their writer had lost the partition
	// Oldest is the oldest order that is still to be begun. It is zero if there is none, and while the view is older than
	// MaxAge: of what it has not read yet, orders may have been begun.
	Oldest Backlog
}

// Health returns the view's health without asking anybody.
func (v *View) Health() Health {
	v.mu.Lock()
	defer v.mu.Unlock()
	h := Health{Fresh: v.fresh, Void: v.voids, Trouble: v.troubled()}
	if time.Since(v.fresh) <= MaxAge {
		h.Oldest = v.oldest
	}
	for s, end := range v.ends {
		h.Lag += max(0, end-v.reached(s))
	}
	return h
}

// MaxAge is how old the view may be for those who append a record about an order that may be known already.
const MaxAge = time.Minute

// Fresh returns nil when the view is at most MaxAge old, except where it is Held. It waits for that until ctx is done, and is ErrBehind then.
func (v *View) Fresh(ctx context.Context) error {
	return v.await(ctx, func() bool { return time.Since(v.fresh) <= MaxAge })
}

// Held is ErrBehind for a partition number of which the view cannot read on, because of a record of a newer version or a batch that
// cannot be read, and for one that has no leader: an order that is known already may be unknown to the view there. Else it is nil.
func (v *View) Held(partition int32) error {
	for _, topic := range []string{v.cfg.Topics.Orders, v.cfg.Topics.Status} {
		s := source{topic, partition}
		if reason := v.heldBy(s); reason != nil {
			return fmt.Errorf("%w: partition %d of %s: %w", ErrBehind, partition, topic, reason)
		}
		if err := v.leader(s); err != nil {
			return fmt.Errorf("%w: %w", ErrBehind, err)
		}
	}
	return nil
}

// Applied returns nil when the record at an offset of orders has been applied. It waits for that until ctx is done, and is ErrBehind then.
func (v *View) Applied(ctx context.Context, partition int32, offset int64) error {
	s := source{v.cfg.Topics.Orders, partition}
	return v.await(ctx, func() bool { return v.next[s] > offset })
}

// await blocks until a condition on what mu guards is true.
func (v *View) await(ctx context.Context, condition func() bool) error {
	for {
		v.mu.Lock()
		met, changed := condition(), v.changed
		v.mu.Unlock()
		if met {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrBehind, context.Cause(ctx))
		}
	}
}

// Watch returns a channel that holds a value whenever an order may have changed since the last receive; several changes
// may be one value, so a slow reader holds up nobody. The order need not exist yet. The caller must call stop.
func (v *View) Watch(id order.ID) (changes <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.watchers[id] == nil {
		v.watchers[id] = map[chan struct{}]bool{}
	}
	v.watchers[id][c] = true
	return c, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.watchers[id], c)
		if len(v.watchers[id]) == 0 {
			delete(v.watchers, id)
		}
	}
}

// position is how far a partition is applied.
func (v *View) position(s source) int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.next[s]
}

// publish tells everybody who waits what a committed batch has changed.
func (v *View) publish(b *batch) {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.Copy(v.next, b.next)
	maps.Copy(v.folds, b.folds)
	maps.Copy(v.void, b.void)
	v.voids = 0
	for _, n := range v.void {
		v.voids += n
	}
	for id := range b.changed {
		for c := range v.watchers[id] {
			select {
			case c <- struct{}{}:
			default: // it holds one already
			}
		}
	}
	v.settle()
}

// settle notes that the view is as fresh as the last look at the topics' ends, if it has reached them: those that are known.
// The caller holds mu.
func (v *View) settle() {
	reached := v.ends != nil
	for s, end := range v.ends {
		reached = reached && (v.reached(s) >= end || v.held[s] != nil)
	}
	if reached {
		v.fresh = v.measured
	}
	if reached && v.building && v.lost == nil {
		v.building = false
		v.cfg.Log.Info("the view is rebuilt")
	}
	close(v.changed)
	v.changed = make(chan struct{})
}

// reached is how far a partition is applied: what the log has dropped will never come. The caller holds mu.
func (v *View) reached(s source) int64 { return max(v.next[s], v.starts[s]) }

// measurePeriod is how often the view looks how far the topics go: idle partitions bring nothing that would say so.
const measurePeriod = time.Second

// measure looks at the topics' ends until ctx is done. It returns an error when a topic is no longer the one it was.
func (v *View) measure(ctx context.Context) error {
	ticker := time.NewTicker(measurePeriod)
	defer ticker.Stop()
	for lost := false; ; {
		if err := v.file.moved(); err != nil {
			v.lose(err)
		}
		asked := time.Now()
		ids, starts, ends, err := v.topics(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			if !lost { // once an outage: from here on the view grows old, and Fresh says so
				v.cfg.Log.Warn("the view cannot reach Kafka", telemetry.Error, err)
			}
		case !maps.Equal(ids, v.ids):
			return errMadeAnew
		default:
			v.mu.Lock()
			v.measuredAt(asked, starts, ends)
			current := time.Since(v.fresh) <= 3*measurePeriod
			v.mu.Unlock()
			if err := v.look(ctx, starts, current); err != nil {
				return err
			}
		}
		lost = err != nil
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look notes what the logs have dropped, and finds the backlog of a view that is current. It is done again while the file cannot be used.
func (v *View) look(ctx context.Context, starts map[source]int64, current bool) error {
	err := v.purge(ctx, starts)
	if err == nil && current {
		err = v.backlog(ctx)
	}
	if errors.Is(err, ErrBehind) {
		return nil
	}
	return err
}
