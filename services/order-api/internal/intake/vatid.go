package intake

import (
	"context"

	"example.com/orders/shared/order"
)

// checkVATID records in an order whether its buyer's VAT ID is in use, or rejects the order. A repeat of
// a placed order does not come here: an ID may lose its validity later.
func (in *Intake) checkVATID(ctx context.Context, o *order.Order) error {
	if in.cfg.VATIDs == nil || o.Refund != nil {
		return nil
	}
	buyer, _ := o.Buyer()
	o.VATCheck = in.cfg.VATIDs.Check(ctx, buyer)
	if o.VATCheck == nil {
		return nil
	}
	in.vatChecks[o.VATCheck.Result].Add(1)
	if o.VATCheck.Result != order.VATInvalid {
		return nil
	}
	at := "/customer/vat_id"
	if o.BillTo != nil {
		at = "/bill_to/vat_id"
	}
	return &RejectedError{Invalid: []order.Invalid{{Pointer: at, Detail: invalidVATID}}}
}

const invalidVATID = "is not in use for trade between member states, says VIES of the European Commission: correct it, or leave it out and pay with VAT"

// VATChecks counts the checks of VAT IDs since the start, by result.
func (in *Intake) VATChecks() map[string]int64 {
	counts := map[string]int64{}
	for result, n := range in.vatChecks {
		counts[result] = n.Load()
	}
	return counts
}
