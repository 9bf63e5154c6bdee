package view

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// DeadLetters returns a page of dead letters, those that failed last first, and the cursor of the
// next page or "".
func (v *View) DeadLetters(ctx context.Context, f DeadLetterFilter) (all []DeadLetter, next string, err error) {
	return page(f.Cursor, f.Limit, func(after Cursor, limit int) ([]DeadLetter, error) {
		f.Limit = limit
		err := v.filtered(&f, func(words []string) (err error) {
			all, err = v.cfg.Store.DeadLetters(ctx, f, words, after)
			return err
		})
		return all, err
	}, func(l DeadLetter) Cursor { return Cursor{l.LastFailed, l.ID()} })
}

// Select returns the IDs of all dead letters that a filter selects, those that failed first first,
// after its cursor, and at most f.Limit of them.
func (v *View) Select(ctx context.Context, f DeadLetterFilter) (ids []string, err error) {
	after, err := parseCursor(f.Cursor)
	if err != nil {
		return nil, err
	}
	err = v.filtered(&f, func(words []string) (err error) {
		ids, err = v.cfg.Store.Select(ctx, f, words, after)
		return err
	})
	return ids, err
}

// Marks returns how far the dead-letter topics are applied, for DeadLetterFilter.Since: for each topic the
// offsets after the last record of its partitions.
func (v *View) Marks() map[string][]int64 {
	v.mu.Lock()
	of := slices.Clone(v.partitions)
	v.mu.Unlock()
	all := map[string][]int64{}
	for _, p := range of {
		if p.Topic != v.cfg.Topics.DLQ && !v.isForeign(p.Topic) {
			continue
		}
		for len(all[p.Topic]) <= int(p.Number) {
			all[p.Topic] = append(all[p.Topic], 0)
		}
		all[p.Topic][p.Number], _ = v.freshness.position(p)
	}
	return all
}

// deadLetters is what watchers of dead letters wait for: no order has such an ID.
const deadLetters order.ID = "/dead-letters"

// WatchDeadLetters is Watch for records of dead-letter topics, also those of other programs.
func (v *View) WatchDeadLetters() (changes <-chan struct{}, stop func()) {
	return v.watchers.add(deadLetters)
}

// Groups returns the groups of the dead letters that a filter selects, by ID. Their last hour is the
// present one.
func (v *View) Groups(ctx context.Context, f DeadLetterFilter) (all []Group, err error) {
	hours := time.Now().Truncate(time.Hour).Add(-23 * time.Hour)
	err = v.filtered(&f, func(words []string) (err error) {
		all, err = v.cfg.Store.Groups(ctx, f, words, hours)
		return err
	})
	return all, err
}

// filtered asks the store with a filter as the store reads it. With ErrStore the answer is what the
// store has while it is being rebuilt.
func (v *View) filtered(f *DeadLetterFilter, question func(words []string) error) error {
	text := sought(f.Text)
	if f.Text != "" && len(text) == 0 { // punctuation: no word begins so
		return v.life.complete()
	}
	if f.Topic == v.cfg.Topics.DLQ {
		f.Topic = Ours
	}
	if ours, ok := f.Since[v.cfg.Topics.DLQ]; ok {
		f.Since = maps.Clone(f.Since)
		delete(f.Since, v.cfg.Topics.DLQ)
		f.Since[""] = ours
	}
	return cmp.Or(v.ask(func() error { return question(text) }), v.life.complete())
}

// Failures returns the failures of a dead letter by the numbers of its replays, of which the first
// is 0.
func (v *View) Failures(ctx context.Context, id string) (all []Failure, err error) {
	err = v.ask(func() (err error) {
		all, err = v.cfg.Store.Failures(ctx, id)
		return err
	})
	return all, cmp.Or(err, v.life.complete())
}

// Decisions returns the decisions about a dead letter, or those about a group, by its ID, the
// first first. An edit that was not the next version is left out: its editor had not seen another one.
func (v *View) Decisions(ctx context.Context, target string) (all []wire.Decision, err error) {
	err = v.ask(func() (err error) {
		all, err = v.cfg.Store.Decisions(ctx, target)
		return err
	})
	return all, cmp.Or(err, v.life.complete())
}

// DeadLetter returns a dead letter by its ID, or ErrUnknown.
func (v *View) DeadLetter(ctx context.Context, id string) (DeadLetter, error) {
	found, err := v.DeadLettersByID(ctx, id)
	l, known := found[id]
	if err == nil && !known {
		err = ErrUnknown
	}
	if err != nil {
		return DeadLetter{}, fmt.Errorf("dead letter %.100q: %w", id, err)
	}
	return l, nil
}

// DeadLettersByID returns those of some dead letters that are known, by ID.
func (v *View) DeadLettersByID(ctx context.Context, ids ...string) (map[string]DeadLetter, error) {
	known := map[string]DeadLetter{}
	err := v.ask(func() error {
		all, err := v.cfg.Store.DeadLettersByID(ctx, ids)
		for _, l := range all {
			known[l.ID()] = l
		}
		return err
	})
	if err == nil && len(known) < len(ids) {
		err = v.life.complete()
	}
	return known, err
}
