package view

import (
	"errors"
	"fmt"

	"example.com/orders/shared/kafka"
)

// Errors that callers tell apart.
var (
	ErrUnknown = errors.New("not in the read model")
	ErrCursor  = errors.New("not a cursor of this API")
	ErrBehind  = errors.New("the read model is behind Kafka")
	// ErrStore is ErrBehind, because the store cannot be used at the moment, or is being rebuilt.
	ErrStore = fmt.Errorf("%w: its store cannot be used, or is being rebuilt", ErrBehind)
	ErrAway  = errors.New("no answer from Kafka") // about what the view does not store
	ErrGone  = kafka.ErrGone                      // Kafka has deleted it, or has another record at its offset
)

// ErrMoved says that another view wrote to the store until now, and that this one does from now on: it reads on
// where the other one has stopped.
var ErrMoved = errors.New("the store goes further than this view")

// ErrDamaged says that the contents of a store are lost, in part or as a whole.
var ErrDamaged = errors.New("the store of the read model is damaged")

// UnavailableError says that a store cannot be used at the moment. It is ErrStore.
type UnavailableError struct {
	Reason string // for users, without details of the store: "the disk is full"
	Err    error  // or nil
}

// Error is the reason, and the error of the store.
func (e *UnavailableError) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return e.Reason + ": " + e.Err.Error()
}

// Unwrap is called by package errors.
func (e *UnavailableError) Unwrap() []error { return []error{ErrStore, e.Err} }
