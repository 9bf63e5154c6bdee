package desk

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/edit/jsondiff"
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
// seconds at most. The errors that a method names come in addition to ErrUnknown, view.ErrBehind if the view is too old to
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
	return d.aboutGroup(ctx, wire.Decision{Kind: wire.Note, Group: group, Text: text})
}

// Assign notes who looks into a cause, or that no one does if that is empty, and returns the decision. It
// is ErrUnknownGroup if no dead letter has the cause.
func (d *Decisions) Assign(ctx context.Context, group, to string) (wire.Decision, error) {
	return d.aboutGroup(ctx, wire.Decision{Kind: wire.Assign, Group: group, Text: to})
}

// aboutGroup writes a decision about a cause.
func (d *Decisions) aboutGroup(ctx context.Context, decision wire.Decision) (wire.Decision, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideWithin)
	defer cancel()
	if err := d.desk.view.Fresh(ctx); err != nil {
		return wire.Decision{}, err
	}
	if _, err := d.Group(ctx, decision.Group); err != nil {
		return wire.Decision{}, err
	}
	return d.write(ctx, decision)
}

// Group returns the dead letters with a cause. It is ErrUnknownGroup if there are none.
func (d *Decisions) Group(ctx context.Context, id string) (view.Group, error) {
	groups, err := d.desk.view.Groups(ctx, view.DeadLetterFilter{Cause: id})
	if err == nil && len(groups) == 0 {
		err = fmt.Errorf("cause %.100q: %w", id, ErrUnknownGroup)
	}
	if err != nil {
		return view.Group{}, err
	}
	return groups[0], nil
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
	decision.Cause = identity.Cause(ctx)
	return decision
}

// NewEdit is an edit of a dead letter.
type NewEdit struct {
	DeadLetter string
	Version    int    // that was edited, 0 for the original; or Newest
	Value      []byte // the whole edited document; of a dead letter of another program the value of its record
	Reason     string
}

// Newest stands for the newest version of a dead letter.
const Newest = -1

// Edited is an edit as it is stored, or would be.
type Edited struct {
	Version int
	Changes []jsondiff.Change
}

// Preview returns what Edit would store, and stores nothing. Its errors are those of Edit.
func (d *Decisions) Preview(ctx context.Context, n NewEdit) (Edited, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideWithin)
	defer cancel()
	_, made, _, err := d.edit(ctx, n)
	return made, err
}

// Edit stores a new version of a dead letter. It reports false if the newest version is the same. The
// next replay works on the newest version.
//
// It is ConflictError if the edited version is not the newest one, unless the next one is what the edit
// would make of it: then an earlier answer was lost. It is ErrClosed if the dead letter is not to
// be replayed any more, and edit.ErrNotEditable, edit.InvalidError or edit.LockedError if the value
// cannot be a version of it.
func (d *Decisions) Edit(ctx context.Context, n NewEdit) (made Edited, changed bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideWithin)
	defer cancel()
	_, made, value, err := d.edit(ctx, n)
	if err != nil || value == nil {
		return made, false, err
	}
	decision, err := d.write(ctx, wire.Decision{Kind: wire.Edit, DeadLetter: n.DeadLetter, Text: n.Reason, Version: made.Version, Value: value})
	if err != nil {
		return made, false, err
	}
	return made, true, d.first(ctx, decision)
}

// first returns a ConflictError unless an edit is one of the versions of its dead letter: of two edits
// of one version the first record counts.
func (d *Decisions) first(ctx context.Context, made wire.Decision) error {
	decisions, err := d.desk.view.Decisions(ctx, made.DeadLetter)
	if err != nil {
		return err
	}
	newest := 0
	for _, one := range decisions {
		if one.ID == made.ID {
			return nil
		}
		newest = max(newest, one.Version)
	}
	return &ConflictError{newest}
}

// edit returns a new version of a dead letter. The value is nil if the newest version is the same.
func (d *Decisions) edit(ctx context.Context, n NewEdit) (l view.DeadLetter, made Edited, value []byte, err error) {
	if l, err = d.Find(ctx, n.DeadLetter); err == nil {
		err = undecided(l)
	}
	if err != nil {
		return l, made, nil, err
	}
	newest := version(l)
	if n.Version != newest && n.Version != Newest {
		made, err = d.repeated(ctx, l, n)
		return l, made, nil, err
	}
	e, err := d.compare(ctx, l, n.Value)
	if err != nil {
		return l, made, nil, err
	}
	if n.Version == Newest && len(e.Changes) == 0 {
		return l, Edited{Version: newest}, nil, nil
	}
	return l, Edited{newest + 1, e.Changes}, e.Value, nil
}

// repeated returns the version that was made of an older one, if it has the same value: then the edit
// is repeated because an answer was lost. Otherwise the error is a ConflictError.
func (d *Decisions) repeated(ctx context.Context, l view.DeadLetter, n NewEdit) (Edited, error) {
	decisions, err := d.desk.view.Decisions(ctx, l.ID())
	if err != nil {
		return Edited{}, err
	}
	for _, one := range decisions {
		if one.Kind != wire.Edit || one.Version != n.Version+1 {
			continue
		}
		value := one.Value
		if l.Foreign == "" {
			value, _ = edit.Document([]byte(l.Order), value)
		}
		if bytes.Equal(value, n.Value) || l.Foreign == "" && len(jsondiff.Diff(value, n.Value)) == 0 {
			return Edited{Version: one.Version}, nil
		}
	}
	return Edited{}, &ConflictError{version(l)}
}

// compare returns the version that an edited value makes of a dead letter.
func (d *Decisions) compare(ctx context.Context, l view.DeadLetter, value []byte) (edit.Edited, error) {
	if l.Foreign == "" {
		base, err := d.Base(ctx, l)
		if err != nil {
			return edit.Edited{}, err
		}
		return base.Edit(value, d.price)
	}
	before, err := d.newest(ctx, l)
	if err != nil {
		return edit.Edited{}, err
	}
	if n := len(value); n < 1 || n > wire.MaxEdit {
		return edit.Edited{}, &edit.InvalidError{Faults: []order.Invalid{{Detail: fmt.Sprintf("must have 1 to %d bytes", wire.MaxEdit)}}}
	}
	made := edit.Edited{Value: value}
	if !bytes.Equal(before, value) {
		made.Changes = jsondiff.Diff(before, value)
	}
	return made, nil
}

// Base returns what is edited of the order of a dead letter. It is edit.ErrNotEditable if that has
// none.
func (d *Decisions) Base(ctx context.Context, l view.DeadLetter) (edit.Base, error) {
	if l.Order == "" {
		return edit.Base{}, edit.ErrNotEditable
	}
	s, err := d.desk.view.Order(ctx, l.Order)
	if err != nil {
		return edit.Base{}, err
	}
	r := wire.Order(s.Order)
	b := edit.Base{Key: r.Key, Original: r.Value, Locked: locked(s)}
	if l.Edit != nil {
		b.Newest = l.Edit.Value
	}
	return b, nil
}

// locked are the pointers, into the document of an order, of what must stay as it is.
func locked(s order.State) []string {
	all := s.Order.Locked(s.Progress.Issued())
	return slices.DeleteFunc(all, func(pointer string) bool { return !edit.InDocument(pointer) })
}

// newest is the value of the newest version of a dead letter of another program.
func (d *Decisions) newest(ctx context.Context, l view.DeadLetter) ([]byte, error) {
	if l.Edit != nil {
		return l.Edit.Value, nil
	}
	read, err := d.desk.read(ctx, l)
	return read.Value, err
}

// version is the number of the newest version of a dead letter; 0 is the original.
func version(l view.DeadLetter) int {
	if l.Edit == nil {
		return 0
	}
	return l.Edit.Version
}

// Fixed is a dead letter that a patch changes.
type Fixed struct {
	edit.Edited
	Decision wire.Decision // the edit, which is not written; it belongs into the partition of its Target
}

// Fix returns the edit that a patch makes of a dead letter, and writes nothing. It is ErrUnchanged if
// it makes none, and edit.ErrNotEditable, edit.ErrNotMatched, edit.InvalidError or edit.LockedError if
// the patch does not fit.
func (d *Decisions) Fix(ctx context.Context, l view.DeadLetter, p edit.Patch) (Fixed, error) {
	b, err := d.Base(ctx, l)
	if err != nil {
		return Fixed{}, err
	}
	e, err := b.Patch(p, d.price)
	if err == nil && len(e.Changes) == 0 {
		err = fmt.Errorf("dead letter %s: %w", l.ID(), ErrUnchanged)
	}
	if err != nil {
		return Fixed{}, err
	}
	return Fixed{e, d.made(ctx, wire.Decision{Kind: wire.Edit, DeadLetter: l.ID(), Version: version(l) + 1, Value: e.Value})}, nil
}
