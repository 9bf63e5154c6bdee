package postgres

import (
	"context"
	"errors"
	"iter"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/tables"
)

// maxLanes is how many orders, or dead letters, are written together.
const maxLanes = maxQueued

// errStopped ends a lane when another one has failed.
var errStopped = errors.New("another change of the batch has failed")

// apply makes all changes of a batch and stores its positions. Changes that are independent of each other are made
// together: a round trip has the next statement of each, so a batch takes a few round trips and not one or two a change.
func (t *transaction) apply(ctx context.Context, b view.Batch) error {
	counts := tables.Counts{}
	for rest := b.Changes; len(rest) > 0; {
		lanes, n := independent(rest)
		if err := t.together(ctx, lanes, counts); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return tables.Finish(ctx, t, b.Positions, counts)
}

// independent divides the first n of some changes into lanes. Those of a lane are about one order, or one dead letter,
// and are made in their sequence; the lanes do not depend on each other.
func independent(all []view.Change) (lanes [][]view.Change, n int) {
	at := map[subject]int{}
	for n = range all {
		of := about(all[n])
		i, known := at[of]
		switch {
		case n > 0 && (of.kind == "" || of.kind != about(all[0]).kind), !known && len(lanes) == maxLanes:
			return lanes, n
		case !known:
			i, lanes = len(lanes), append(lanes, nil)
			at[of] = i
		}
		lanes[i] = append(lanes[i], all[n])
	}
	return lanes, len(all)
}

// subject is what a change is about. Two changes of the same kind with different IDs do not depend on each other. A
// change without a kind may depend on any other.
type subject struct{ kind, id string }

func about(c view.Change) subject {
	switch c := c.(type) {
	case view.Placed:
		return subject{"order", string(c.ID)}
	case view.Changed:
		return subject{"order", string(c.ID)}
	case view.Failed:
		return subject{"dead letter", c.ID()}
	}
	return subject{}
}

// together makes the changes of all lanes. Each runs up to a statement whose answer it needs; then what all of them have
// queued is sent, and each goes on with its answer.
func (t *transaction) together(ctx context.Context, lanes [][]view.Change, counts tables.Counts) error {
	var running []func() (error, bool)
	for _, changes := range lanes {
		next, stop := iter.Pull(t.lane(ctx, changes, counts))
		defer stop()
		running = append(running, next)
	}
	for {
		waiting := running[:0]
		for _, next := range running {
			err, more := next()
			if err != nil {
				return err
			}
			if more {
				waiting = append(waiting, next)
			}
		}
		if running = waiting; len(running) == 0 {
			return nil
		}
		if err := t.flush(ctx); err != nil {
			return err
		}
	}
}

// lane makes changes one after the other. It yields nil where it needs an answer, and the error that ends it.
func (t *transaction) lane(ctx context.Context, changes []view.Change, counts tables.Counts) iter.Seq[error] {
	return func(yield func(error) bool) {
		of := *t // shares what is queued
		of.wait = func(context.Context) error {
			if !yield(nil) {
				return errStopped
			}
			return nil
		}
		if err := tables.Change(ctx, &of, changes, counts); err != nil && !errors.Is(err, errStopped) {
			yield(err)
		}
	}
}
