package order

import "slices"

// Status is a stage in the lifecycle of an order.
type Status string

// Every status, in the order of the lifecycle.
const (
	Accepted  Status = "accepted"  // in the topic, not begun
	Working   Status = "working"   // shipping and invoice number are settled
	Mailing   Status = "mailing"   // the invoice is issued, its mail is about to be sent
	Retrying  Status = "retrying"  // the last attempt failed; another one is scheduled
	Waiting   Status = "waiting"   // parked until a dependency is back
	Confirmed Status = "confirmed" // mailed
	Dead      Status = "dead"      // dead-lettered; an operator can replay it
	Cancelled Status = "cancelled"
)

// The writers of statuses.
const (
	API    = "api"    // places orders
	Worker = "worker" // owns the partition of an order
)

// stage is a row of the lifecycle.
type stage struct {
	status Status
	writer string
	final  bool // workers do not go on by themselves
	parked bool // in a topic of its own until it is due or its dependency is back
	next   []Status
}

// lifecycle is the one table of statuses. Other lists of statuses are derived from it, or a test
// compares them with it. What a worker finds out without an intent (a failure, or that the mail was
// sent before) can follow every status that is not finished.
var lifecycle = []stage{
	{status: Accepted, writer: API, next: []Status{
		Working, Retrying, Waiting, Dead, Cancelled,
		Mailing, Confirmed, // its state is lost, and its progress comes from a dead letter
	}},
	{status: Working, writer: Worker, next: []Status{
		Mailing, Confirmed, Retrying, Waiting, Dead,
		Cancelled, // its worker stopped before the invoice was issued
	}},
	{status: Mailing, writer: Worker, next: []Status{
		Confirmed, Retrying, Waiting, Dead,
		Mailing, // the outcome is uncertain, and the mail is sent again
		Working, // a stopping worker withdraws its intent
	}},
	{status: Retrying, writer: Worker, parked: true, next: []Status{Working, Mailing, Confirmed, Retrying, Waiting, Dead, Cancelled}},
	{status: Waiting, writer: Worker, parked: true, next: []Status{Working, Mailing, Confirmed, Retrying, Waiting, Dead, Cancelled}},
	{status: Confirmed, writer: Worker, final: true},
	{status: Dead, writer: Worker, final: true, next: []Status{
		Working, Mailing, Confirmed, Retrying, Waiting, Dead, // replayed
		Cancelled, // no invoice is issued, and its dead letter is closed
	}},
	{status: Cancelled, writer: Worker, final: true},
}

// Statuses returns every status, in the order of the lifecycle.
func Statuses() []Status {
	all := make([]Status, len(lifecycle))
	for i, row := range lifecycle {
		all[i] = row.status
	}
	return all
}

// Number is a small number for a status: its place in Statuses, from 1. It is 0 for a status of a
// newer version, and is not for storing: a new status may change it.
func (s Status) Number() uint8 {
	return uint8(1 + slices.IndexFunc(lifecycle, func(row stage) bool { return row.status == s }))
}

// Numbered is the status with a number that is not 0.
func Numbered(n uint8) Status { return lifecycle[n-1].status }

// stage is the row of a status, or the zero stage for a status of a newer version.
func (s Status) stage() stage {
	if i := slices.IndexFunc(lifecycle, func(row stage) bool { return row.status == s }); i >= 0 {
		return lifecycle[i]
	}
	return stage{}
}

// Final reports whether workers do not go on with the order by themselves. A dead order can be
// replayed.
func (s Status) Final() bool { return s.stage().final }

// Parked reports whether the order is in a topic of its own until it is due or its dependency is
// back.
func (s Status) Parked() bool { return s.stage().parked }

// Writer returns who gives orders this status, such as Worker; or "" for a status of a newer version.
func (s Status) Writer() string { return s.stage().writer }

// Allows reports whether another status may follow. A status of a newer version allows every status
// of this version.
func (s Status) Allows(next Status) bool {
	from, to := s.stage(), next.stage()
	return to.status != "" && (from.status == "" || slices.Contains(from.next, next))
}
