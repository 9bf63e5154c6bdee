package desk

import (
	"context"
	"errors"
	"slices"

	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/edit/jsondiff"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// History is what happened to a dead letter. Each list begins with the oldest.
type History struct {
	Failures []view.Failure
	Replays  []Replayed
	Edits    []EditedVersion
	Notes    []wire.Decision
	All      []wire.Decision // the decisions, edits and notes among them
	Order    *order.State    // of the dead letter; or nil: it has none
}

// Replayed is one replay of a dead letter.
type Replayed struct {
	view.Answered
	Version int // that was replayed, 0 for the original
}

// EditedVersion is one edit, and how its version differs from the one before.
type EditedVersion struct {
	wire.Decision
	Changes []jsondiff.Change
}

// History returns what happened to a dead letter. It blocks until Kafka has answered or ctx ends:
// records that are gone are left out.
func (d *Desk) History(ctx context.Context, l view.DeadLetter) (h History, err error) {
	if h.Failures, err = d.view.Failures(ctx, l.ID()); err != nil {
		return h, err
	}
	if h.All, err = d.view.Decisions(ctx, l.ID()); err != nil {
		return h, err
	}
	if l.Order != "" {
		s, err := d.view.Order(ctx, l.Order)
		if err != nil {
			return h, err
		}
		h.Order = &s
		h.Replays = replayed(s, h.Failures)
	}
	for _, one := range h.All {
		switch one.Kind {
		case wire.Note:
			h.Notes = append(h.Notes, one)
		case wire.Edit:
			h.Edits = append(h.Edits, EditedVersion{Decision: one})
		}
	}
	return h, d.compareVersions(ctx, l, &h)
}

// replayed are the replays of an order, with what the timeline and the failures tell of them.
func replayed(s order.State, failures []view.Failure) (all []Replayed) {
	for _, a := range view.Replays(s) {
		r := Replayed{Answered: a}
		i := slices.IndexFunc(failures, func(f view.Failure) bool { return f.Number == a.Number })
		switch {
		case i >= 0:
			r.Version = failures[i].Edit
		case a.Number == s.Replays:
			r.Version = s.Edit
		}
		all = append(all, r)
	}
	return all
}

// compareVersions finds the differences of each edit from the version before. The original is that of
// the first failure; if its record is gone, the first edit has no differences.
func (d *Desk) compareVersions(ctx context.Context, l view.DeadLetter, h *History) error {
	if len(h.Edits) == 0 {
		return nil
	}
	key, before, err := d.original(ctx, l, h)
	if err != nil {
		return err
	}
	for i := range h.Edits {
		e := &h.Edits[i]
		if before != nil {
			e.Changes = documentDiff(l, key, before, e.Value)
		}
		before = e.Value
	}
	return nil
}

// original is the record that failed before any edit. The value is nil if it is gone.
func (d *Desk) original(ctx context.Context, l view.DeadLetter, h *History) (key, value []byte, err error) {
	if len(h.Failures) > 0 {
		l.Partition, l.Offset = h.Failures[0].Partition, h.Failures[0].Offset
	}
	read, err := d.read(ctx, l)
	if _, lost := errors.AsType[*LostError](err); lost || err == nil && read.Edit > 0 {
		return nil, nil, nil
	}
	return read.Key, read.Value, err
}

// documentDiff returns how what is edited differs between two versions.
func documentDiff(l view.DeadLetter, key, before, after []byte) []jsondiff.Change {
	if l.Foreign != "" {
		return jsondiff.Diff(before, after)
	}
	was, err1 := edit.Document(key, before)
	is, err2 := edit.Document(key, after)
	if errors.Join(err1, err2) != nil {
		return jsondiff.Diff(before, after)
	}
	return jsondiff.Diff(was, is)
}

// Effects is what the next replay of a dead letter does.
type Effects struct {
	Step     order.Step // that it begins with, or empty: the first one
	Mail     Mail
	Document string // that it issues: "invoice", "credit-note", or empty
}

// Mail says whether a replay sends a mail.
type Mail string

// What a replay does about the mail of its order.
const (
	MailCertain  Mail = "certain"  // if it succeeds, and the customer has got none
	MailPossible Mail = "possible" // the outcome of an earlier one is not known: it may be a second one
	MailNone     Mail = "none"
)

// Next returns what the next replay of a dead letter does. The order is that of its history, or nil.
func Next(l view.DeadLetter, s *order.State) Effects {
	if l.Foreign != "" {
		return Effects{Mail: MailNone}
	}
	e := Effects{Step: l.Step, Mail: MailCertain, Document: "invoice"}
	if s == nil {
		return e
	}
	p := s.Progress
	if s.Order.Refund != nil {
		e.Document = "credit-note"
	}
	if p.Issued() {
		e.Document = ""
	}
	if p.Email != nil && p.Email.Uncertain > 0 {
		e.Mail = MailPossible
	}
	return e
}
