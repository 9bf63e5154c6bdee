package tables

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"example.com/orders/services/order-api/internal/view"
)

// Faults says what the errors of a kind of store mean for the view.
type Faults struct {
	Damaged func(error) bool   // the contents are lost
	Passing func(error) string // why the store cannot be used at the moment, or empty
	Other   string             // that reason for any other error while the store is made
}

// Classify is for an error of using a store: view.ErrDamaged, or a view.UnavailableError, or as it was, which ends the view.
func (f Faults) Classify(err error) error {
	if settled(err) {
		return err
	}
	if f.Damaged(err) {
		return fmt.Errorf("%w: %w", view.ErrDamaged, err)
	}
	if reason := f.Passing(err); reason != "" {
		return &view.UnavailableError{Reason: reason, Err: err}
	}
	return err
}

// Unavailable is for an error of making a store, which has nothing that could be damaged: any may pass.
func (f Faults) Unavailable(err error) error {
	if settled(err) && !errors.Is(err, view.ErrDamaged) {
		return err
	}
	return &view.UnavailableError{Reason: cmp.Or(f.Passing(err), f.Other), Err: err}
}

// settled reports whether an error is none of the database, or says already what it means.
func settled(err error) bool {
	return err == nil || errors.Is(err, context.Canceled) || errors.Is(err, view.ErrStore) || errors.Is(err, view.ErrMoved) || errors.Is(err, view.ErrDamaged)
}
