package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/shared/order"
)

// Want is what to refund of an order: quantities of its lines by SKU, and its shipping price. The
// zero value, with or without a reason, refunds everything that is not refunded yet.
type Want struct {
	Items    []order.Line
	Shipping bool
	Reason   string // printed on the credit note; or empty
}

// maxTries limits how often Refund tries the next number, when other refunds of the order are
// placed at the same time.
const maxTries = 20

// Refund refunds an order in full or in part. It returns the refund, which is a separate order: the
// new one, or its current state if key and want are those of an earlier refund by the principal of
// ctx. With an empty key every call places a new refund. It belongs to the owner of the order.
// Errors are view.ErrUnknown, ErrNotInvoiced, ErrRefund,
// ErrConflict, and those of Place.
//
// All instances together never refund more than the invoice. Refunds of an order are numbered, and
// only the first record with a number counts. It was computed with all refunds of lower numbers; an
// instance that finds its number taken computes the refund again, with the one that took it.
func (in *Intake) Refund(ctx context.Context, id order.ID, want Want, key string) (Placed, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), in.cfg.Deadline)
	defer cancel()
	invoiced, err := in.invoiced(ctx, id)
	if err != nil {
		return Placed{}, err
	}
	by := identity.From(ctx)
	mine := in.refundKey(by, id, want, key)
	var last Placed
	for try := 0; ; try++ {
		refunds, err := in.view.Refunds(ctx, id)
		if err != nil {
			return Placed{}, err
		}
		for _, r := range refunds {
			switch sameKey, sameWant := mine.matches(r.Order.Refund); {
			case sameWant:
				return Placed{r, last.Replayed || last.Order.ID != r.Order.ID}, nil
			case sameKey:
				return Placed{}, &KeyReusedError{key, "refund"}
			}
		}
		if try == maxTries {
			return Placed{}, ErrConflict
		}
		o, err := nextRefund(&invoiced, want, mine, refunds)
		if err != nil {
			return Placed{}, err
		}
		o.Cause.Actor = by.Actor()
		// The next look at the view shows whose record counts.
		if last, err = in.findOrAppend(ctx, o); err != nil {
			return Placed{}, err
		}
		if last.Order.Refund == nil {
			return Placed{}, ErrConflict // another program wrote an order with the ID of a refund
		}
	}
}

// invoiced returns an order whose invoice is issued.
func (in *Intake) invoiced(ctx context.Context, id order.ID) (order.State, error) {
	if err := in.awaitView(ctx); err != nil {
		return order.State{}, err
	}
	s, err := in.view.Order(ctx, id)
	switch {
	case err != nil:
		return order.State{}, err
	case s.Order.Refund != nil:
		return order.State{}, ErrRefund
	case !s.Progress.Issued():
		return order.State{}, ErrNotInvoiced
	}
	return s, nil
}

// nextRefund computes the refund that follows the earlier ones. Its only error is RejectedError.
func nextRefund(invoiced *order.State, want Want, key refundKey, earlier []order.State) (order.Order, error) {
	known := make([]order.Order, len(earlier))
	for i, e := range earlier {
		known[i] = e.Order
	}
	o, faults := invoiced.Refund(want.Items, want.Shipping, known)
	if len(faults) == 0 {
		o.PlacedAt = time.Now().UTC().Truncate(time.Millisecond)
		o.Refund.Key, o.Refund.Reason = string(key), want.Reason
		faults = o.Validate()
	}
	for i := range faults {
		faults[i].Pointer = strings.TrimPrefix(faults[i].Pointer, "/refund")
	}
	if len(faults) > 0 {
		return o, &RejectedError{Invalid: faults, Refund: true}
	}
	return o, nil
}

// refundKey is stored in a refund. It is hexadecimal: 16 bytes that are derived from the client's
// key, or random without one, and 8 bytes of the hash of what is wanted.
type refundKey string

func (in *Intake) refundKey(by identity.Principal, id order.ID, want Want, key string) refundKey {
	h := sha256.New()
	fmt.Fprintf(h, "%t %q", want.Shipping, want.Reason)
	for _, l := range want.Items {
		fmt.Fprintf(h, " %d %q", l.Quantity, l.SKU)
	}
	return refundKey(hex.EncodeToString(append(in.token("\x00"+string(id)+" "+scope(by), key), h.Sum(nil)[:8]...)))
}

// matches reports whether a refund was placed under the same client's key, and whether it was also
// the same want.
func (k refundKey) matches(r *order.Refund) (sameKey, sameWant bool) {
	return strings.HasPrefix(r.Key, string(k[:32])), r.Key == string(k)
}
