package desk

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

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
	Changes []edit.Change
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
			value, _ = Document(l, value)
		}
		if bytes.Equal(value, n.Value) || l.Foreign == "" && len(edit.Diff(value, n.Value)) == 0 {
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
		made.Changes = edit.Diff(before, value)
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
	all := s.Order.Locked(s.Progress.Invoice != nil && s.Progress.Invoice.Kept != nil)
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
