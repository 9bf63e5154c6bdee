package identity_test

import (
	"testing"

	"example.com/orders/services/order-api/internal/identity"
)

func TestEachRoleMayDoWhatTheOneBeforeItMay(t *testing.T) {
	t.Parallel()
	roles := identity.Roles()
	for i, role := range roles[1:] {
		if !role.Has(identity.PlaceOrders) {
			t.Errorf("%s may not place orders", role)
		}
		if before := roles[i]; before.Has(identity.ReadAnyOrder) && !role.Has(identity.ReadAnyOrder) {
			t.Errorf("%s may not do what %s may", role, before)
		}
	}
	for role, not := range map[identity.Role]identity.Permission{
		"": identity.ReadOrders, "owner": identity.ReadOrders, identity.Customer: identity.ReadAnyOrder, identity.Viewer: identity.RecordPayments, identity.Cashier: identity.ReadPersonal,
		identity.Support: identity.RefundOrders, identity.Operator: identity.EditDeadLetters, identity.Editor: identity.ReadAudit,
	} {
		if role.Has(not) {
			t.Errorf("role %q has %s, want not", role, not)
		}
	}
}
