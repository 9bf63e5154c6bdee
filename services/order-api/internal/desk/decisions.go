package desk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Decisions writes what operators decide about dead letters, as records of the topic of the desk. A
// decision is in force when the view has applied it, and each method waits for that. Nothing that a
// dead letter was before is lost: an edit is a new version, and a discard can be taken back.
//
// Each method acts on behalf of the principal of ctx, does not end with ctx, and blocks for some
// seconds at most. Besides its own errors it is ErrUnknown, view.ErrBehind if the view is too old to
// decide, or has not applied the decision in time, and view.ErrAway if Kafka does not answer; with
// both the decision may be in force. Repeating a call changes nothing more, except for a note.
type Decisions struct {
	desk   *Desk
	layout kafka.Layout
	price  edit.Price
}

// NewDecisions returns decisions about the dead letters of a desk. The layout is that of kafka.Check,
// price that of the catalogue.
func NewDecisions(d *Desk, layout kafka.Layout, price edit.Price) *Decisions {
	return &Decisions{d, layout, price}
}

// Errors of decisions that are refused.
var (
	ErrNotDiscarded = errors.New("the dead letter is not discarded")
	ErrUnknownGroup = errors.New("there is no dead letter with this cause")
	ErrUnchanged    = errors.New("the patch does not change the dead letter")
)

// ConflictError is an edit of a version that is not the newest one.
type ConflictError struct{ Newest int }

// Error names the newest version.
func (c *ConflictError) Error() string {
	return fmt.Sprintf("the dead letter was edited meanwhile: the newest version is %d", c.Newest)
}

// decideWithin limits a decision: the record, and the view that applies it.
const decideWithin = deadline + 3*time.Second

// Discard marks a dead letter so that no replay takes it, and returns it. It reports false if it was
// discarded already. It is ErrClosed if there is nothing to discard.
func (d *Decisions) Discard(ctx context.Context, id, reason string) (l view.DeadLetter, changed bool, err error) {
	return d.turn(ctx, wire.Decision{Kind: wire.Discard, DeadLetter: id, Text: reason}, func(l view.DeadLetter) (bool, error) {
		if l.State == view.Discarded {
			return false, nil
		}
		return true, undecided(l)
	})
}

// Restore takes back that a dead letter is discarded, and returns it. It is ErrNotDiscarded if that
// is not so.
func (d *Decisions) Restore(ctx context.Context, id, reason string) (view.DeadLetter, error) {
	l, _, err := d.turn(ctx, wire.Decision{Kind: wire.Restore, DeadLetter: id, Text: reason}, func(l view.DeadLetter) (bool, error) {
		if l.State != view.Discarded {
			return false, fmt.Errorf("%s is %s: %w", id, l.State, ErrNotDiscarded)
		}
		return true, nil
	})
	return l, err
}

// turn writes a decision about a dead letter if due reports that it changes something, and returns
// the dead letter afterwards.
func (d *Decisions) turn(ctx context.Context, decision wire.Decision, due func(view.DeadLetter) (bool, error)) (l view.DeadLetter, changed bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideWithin)
	defer cancel()
	if l, err = d.Find(ctx, decision.DeadLetter); err != nil {
		return l, false, err
	}
	if changed, err = due(l); err != nil || !changed {
		return l, false, err
	}
	if _, err = d.write(ctx, decision); err != nil {
		return l, false, err
	}
	l, err = d.desk.find(ctx, decision.DeadLetter)
	return l, true, err
}

// Note writes a note about a dead letter, and returns it.
func (d *Decisions) Note(ctx context.Context, id, text string) (wire.Decision, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideWithin)
	defer cancel()
	if _, err := d.Find(ctx, id); err != nil {
		return wire.Decision{}, err
	}
	return d.write(ctx, wire.Decision{Kind: wire.Note, DeadLetter: id, Text: text})
}

// NoteGroup writes a note about a cause, and returns it. It is ErrUnknownGroup if no dead letter has
// the cause.
func (d *Decisions) NoteGroup(ctx context.Context, group, text string) (wire.Decision, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideWithin)
	defer cancel()
	if err := d.desk.view.Fresh(ctx); err != nil {
		return wire.Decision{}, err
	}
	groups, err := d.desk.view.Groups(ctx, view.DeadLetterFilter{Cause: group})
	if err == nil && len(groups) == 0 {
		err = fmt.Errorf("cause %.100q: %w", group, ErrUnknownGroup)
	}
	if err != nil {
		return wire.Decision{}, err
	}
	return d.write(ctx, wire.Decision{Kind: wire.Note, Group: group, Text: text})
}

// Find returns a dead letter of a view that is up to date.
func (d *Decisions) Find(ctx context.Context, id string) (view.DeadLetter, error) {
	if err := d.desk.view.Fresh(ctx); err != nil {
		return view.DeadLetter{}, err
	}
	l, err := d.desk.find(ctx, id)
	if err == nil && l.Foreign == "" {
		err = d.desk.view.CheckPartition(l.Origin.Partition)
	}
	return l, err
}

// undecided is nil for a dead letter about which an operator has to decide, or ErrClosed.
func undecided(l view.DeadLetter) error {
	switch l.State {
	case view.Open, view.Lost, view.Parked, view.Discarded:
		return nil
	}
	return fmt.Errorf("dead letter %s is %s: %w", l.ID(), l.State, ErrClosed)
}

// write writes a decision, and returns it when the view has applied it.
func (d *Decisions) write(ctx context.Context, decision wire.Decision) (wire.Decision, error) {
	decision = d.made(ctx, decision)
	r := decision.Record()
	if _, err := wire.ReadDecision(r); err != nil { // the caller has checked the texts, so this is a bug
		return decision, err
	}
	appended, err := kafka.Append(ctx, d.desk.cl, d.desk.topics.Desk, d.layout.Partition([]byte(decision.Target())), r)
	if err != nil {
		return decision, fmt.Errorf("%w: %w", view.ErrAway, err)
	}
	return decision, d.desk.view.Desk(ctx, appended.Partition, appended.Offset+1)
}

// made adds to a decision who makes it, and when.
func (d *Decisions) made(ctx context.Context, decision wire.Decision) wire.Decision {
	decision.ID, decision.At = "dec_"+strings.ToLower(rand.Text()), time.Now().UTC().Truncate(time.Millisecond)
	decision.Cause = order.Cause{Actor: identity.From(ctx).Actor()}
	return decision
}
