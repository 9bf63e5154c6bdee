package identity

import "slices"

// Role is what a principal is for.
type Role string

// Every role. A role after Customer may also do what customers do.
const (
	Customer Role = "customer" // places orders, and sees its own
	Viewer   Role = "viewer"   // sees all orders and dead letters, with personal data masked
	Cashier  Role = "cashier"  // also records payments: for the webhook of a payment provider
	Support  Role = "support"  // also sees personal data, and writes notes
	Operator Role = "operator" // also replays, cancels and refunds
	Editor   Role = "editor"   // also edits, discards and restores dead letters
	Admin    Role = "admin"    // also manages API keys and reads the audit trail
)

// Permission allows one kind of act. Routes name the one that they require.
type Permission string

// Every permission. Without an -any, it is for the orders that the principal has placed.
const (
	PlaceOrders       Permission = "orders:place"
	ReadOrders        Permission = "orders:read"
	CancelOrders      Permission = "orders:cancel"
	ReadAnyOrder      Permission = "orders:read-any"
	CancelAnyOrder    Permission = "orders:cancel-any"
	RefundOrders      Permission = "orders:refund"
	RecordPayments    Permission = "payments:record"
	ReadDeadLetters   Permission = "dead-letters:read"
	ReplayDeadLetters Permission = "dead-letters:replay"
	EditDeadLetters   Permission = "dead-letters:edit"
	NoteDeadLetters   Permission = "dead-letters:note"
	ReadPersonal      Permission = "personal:read" // names, addresses, phone numbers and notes unmasked
	ManageKeys        Permission = "keys:manage"
	ReadAudit         Permission = "audit:read"
	ReadStats         Permission = "stats:read"
	BreakSystem       Permission = "system:break" // where there is something to break: all-in-one
)

// grant is what a role may do in addition to the one before it.
type grant struct {
	role Role
	adds []Permission
}

// grants is the table of roles and permissions.
var grants = []grant{
	{Customer, []Permission{PlaceOrders, ReadOrders, CancelOrders}},
	{Viewer, []Permission{ReadAnyOrder, ReadDeadLetters, ReadStats}},
	{Cashier, []Permission{RecordPayments}},
	{Support, []Permission{ReadPersonal, NoteDeadLetters}},
	{Operator, []Permission{CancelAnyOrder, RefundOrders, ReplayDeadLetters, BreakSystem}},
	{Editor, []Permission{EditDeadLetters}},
	{Admin, []Permission{ManageKeys, ReadAudit}},
}

// Roles returns all roles, those with fewer permissions first.
func Roles() []Role {
	var all []Role
	for _, g := range grants {
		all = append(all, g.role)
	}
	return all
}

// Permissions returns what a role may do, what most roles may do first.
func (r Role) Permissions() (all []Permission) {
	for _, g := range grants {
		for _, p := range g.adds {
			if r.Has(p) {
				all = append(all, p)
			}
		}
	}
	return all
}

// Has reports whether a role has a permission. An unknown role has none.
func (r Role) Has(needed Permission) bool {
	last := slices.IndexFunc(grants, func(g grant) bool { return g.role == r })
	for _, g := range grants[:last+1] {
		if slices.Contains(g.adds, needed) {
			return true
		}
	}
	return false
}
