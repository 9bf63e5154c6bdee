package intake_test

import (
	"context"
	"testing"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/intake"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

var (
	ann   = identity.Principal{ID: "17", Role: identity.Customer}
	bob   = identity.Principal{ID: "18", Role: identity.Customer}
	clerk = identity.Principal{ID: "17", Role: identity.Operator}
	guest = identity.Principal{}
)

// as is the context of a principal's request.
func as(t *testing.T, p identity.Principal) context.Context {
	t.Helper()
	return identity.With(t.Context(), p)
}

func TestOrderBelongsToWhoPlacedIt(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	in := start(t, k, 0)
	for _, row := range []struct {
		by    identity.Principal
		owner order.Actor
		token int
	}{
		{ann, order.Actor{Kind: order.ActorCustomer, ID: "17"}, 0},
		{clerk, order.Actor{Kind: order.ActorOperator, ID: "17"}, 0},
		{guest, order.Actor{}, order.LinkTokenLength},
	} {
		o := wanted()
		o.Owner, o.LinkToken = bob.Actor(), "mfzwizltoq2gk3tunfxw42lomq"
		first, err := in.Place(as(t, row.by), o, "k1")
		must(t, err)
		again, err := in.Place(as(t, row.by), o, "k1")
		must(t, err)
		for _, got := range []order.Order{first.Order, again.Order} {
			if got.Owner != row.owner || len(got.LinkToken) != row.token || got.LinkToken != first.Order.LinkToken || got.LinkToken == o.LinkToken {
				t.Errorf("%+v: got owner %+v and link token %q, want %+v and one of %d bytes", row.by, got.Owner, got.LinkToken, row.owner, row.token)
			}
		}
	}
	if n := len(placements(t, k)); n != 3 {
		t.Errorf("got %d records, want one for each principal", n)
	}
}

// TestKeyOfAnotherPrincipalIsAnotherKey also restarts the API.
func TestKeyOfAnotherPrincipalIsAnotherKey(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	ids := map[order.ID]bool{}
	var first []order.ID
	for _, in := range []*intake.Intake{start(t, k, 0), start(t, k, 0)} {
		for i, p := range []identity.Principal{ann, bob, clerk, guest, {ID: "demo", Role: identity.Admin}} {
			s, err := in.Place(as(t, p), wanted(), "k1")
			must(t, err)
			if first = append(first, s.Order.ID); len(first) > 5 && first[i] != s.Order.ID {
				t.Errorf("%+v: got %s after a restart, want %s", p, s.Order.ID, first[i])
			}
			ids[s.Order.ID] = true
		}
	}
	if len(ids) != 5 {
		t.Errorf("got %d orders, want one for each principal", len(ids))
	}
}

func TestRefundBelongsToTheOwnerOfItsOrder(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	s := sold()
	s.Order.Owner = ann.Actor()
	sell(t, k, s)
	in := start(t, k, 0)
	ids := map[order.ID]bool{}
	for _, p := range []identity.Principal{clerk, {ID: "19", Role: identity.Operator}, clerk} {
		got, err := in.Refund(as(t, p), "ord_1", bottles(1), "k1")
		must(t, err)
		ids[got.Order.ID] = true
		if got.Order.Owner != ann.Actor() {
			t.Errorf("got owner %+v, want the customer", got.Order.Owner)
		}
	}
	if len(ids) != 2 {
		t.Errorf("got refunds %v, want one for each operator", ids)
	}
	all := k.Records(t, k.Topics.Orders)
	if got := wire.CauseOf(all[len(all)-1]).Actor; got.Kind != order.ActorOperator {
		t.Errorf("got actor %+v in the record, want an operator", got)
	}
}
