package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/orders/shared/order"
)

// Want is what is asked to be refunded of an order: quantities of its lines, by SKU, and its shipping; or, when neither is
// asked for, all that is left.
type Want struct {
	Items    []order.Line
	Shipping bool
	Reason   string // printed on the credit note; or empty
}

// Errors of an order of which nothing can be refunded, whatever is wanted.
var (
	ErrNotInvoiced = errors.New("the order has no invoice that could be corrected")
	ErrRefund      = errors.New("the order is a refund itself")
	ErrConflict    = errors.New("the number of the refund is taken") // each time by another refund, or by what is no refund
)

// maxTries bounds how often a refund makes way for others of its order that are asked for at the same time.
const maxTries = 20

// Refund refunds an order, wholly or in part, and returns the refund, which is an order of its own: as just appended, or as it
// is by now when key and want are those of an earlier refund of the order. An empty key makes every call a refund of its own.
// Errors are view.ErrUnknown, ErrNotInvoiced, ErrRefund, ErrConflict, and those of Place.
//
// Several instances never refund more than was invoiced: the record that counts under a number was made by somebody who knew
// all that count under the numbers before it, and whoever finds a number taken computes anew with what has taken it.
func (in *Intake) Refund(ctx context.Context, id order.ID, want Want, key string) (order.State, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), in.cfg.Deadline)
	defer cancel()
	s, err := in.invoiced(ctx, id)
	if err != nil {
		return order.State{}, err
	}
	mark := in.mark(id, want, key)
	for try := 0; ; try++ {
		before, err := in.view.Refunds(ctx, id)
		if err != nil {
			return order.State{}, err
		}
		for _, r := range before {
			switch mine, same := mark.made(r.Order.Refund); {
			case same:
				return r, nil
			case mine:
				return order.State{}, &KeyReused{key, "refund"}
			}
		}
		if try == maxTries {
			return order.State{}, ErrConflict
		}
		if err := in.next(ctx, &s, want, mark, before); err != nil {
			return order.State{}, err
		}
	}
}

// invoiced returns an order whose invoice is issued, as a view shows it that is fresh enough.
func (in *Intake) invoiced(ctx context.Context, id order.ID) (order.State, error) {
	if err := in.fresh(ctx); err != nil {
		return order.State{}, err
	}
	s, err := in.view.Order(ctx, id)
	switch {
	case err != nil:
		return order.State{}, err
	case s.Order.Refund != nil:
		return order.State{}, ErrRefund
	case s.Progress.Invoice == nil || s.Progress.Invoice.Kept == nil:
		return order.State{}, ErrNotInvoiced
	}
	return s, nil
}

// next appends the refund that follows others. Its number may be taken all the same: the view shows what the log holds then.
func (in *Intake) next(ctx context.Context, s *order.State, want Want, mark mark, before []order.State) error {
	known := make([]order.Order, len(before))
	for i, b := range before {
		known[i] = b.Order
	}
	o, wrong := s.Refund(want.Items, want.Shipping, known)
	if len(wrong) == 0 {
		o.PlacedAt = time.Now().UTC().Truncate(time.Millisecond)
		o.Refund.Key, o.Refund.Reason = string(mark), want.Reason
		wrong = o.Validate()
	}
	if len(wrong) > 0 {
		for i := range wrong {
			wrong[i].Pointer = strings.TrimPrefix(wrong[i].Pointer, "/refund")
		}
		return &Rejected{wrong}
	}
	held, err := in.settle(ctx, o)
	if err == nil && held.Order.Refund == nil {
		// Somebody wrote to the topic around the API.
		return ErrConflict
	}
	return err
}

// mark is the key of a refund, in hex: a token of the client's key, and then 8 bytes of a hash of what is wanted, which tell a
// repeat from another request under the same key.
type mark string

func (in *Intake) mark(id order.ID, want Want, key string) mark {
	h := sha256.New()
	fmt.Fprintf(h, "%t %q", want.Shipping, want.Reason)
	for _, l := range want.Items {
		fmt.Fprintf(h, " %d %q", l.Quantity, l.SKU)
	}
	return mark(hex.EncodeToString(append(in.token("\x00"+string(id), key), h.Sum(nil)[:8]...)))
}

// made reports whether a refund was made under the same client's key, and whether with the same wants.
func (m mark) made(r *order.Refund) (mine, same bool) {
	return strings.HasPrefix(r.Key, string(m[:32])), r.Key == string(m)
}
