package view

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// entry is what the value of a record of orders or orders.status says. That takes most of the time
// that a record costs, and follows from the record alone: it is read while the batch before is
// written.
type entry struct {
	row     Row // of a state it lacks what the headers say
	replays []Answered
	dead    *order.State // a dead order, with its dead letter; else nil
	known   bool         // the store has the order already: a record of orders changes nothing, and is not read
	err     error
}

// entries are those of some records.
type entries map[*kgo.Record]entry

// read is the entry of a record.
func (d *draft) read(r *kgo.Record) entry {
	if e, ok := d.known[r]; ok {
		return e
	}
	return d.p.read(r)
}

// entries reads the newest state of each order that has one in some records, and the orders as placed
// that have none: those that a draft will ask for. It does not read the orders as placed that are known. It is safe for
// concurrent use.
func (p *projection) entries(fetches kgo.Fetches, known func([]order.ID) map[order.ID]bool) entries {
	states, placed := map[key]*kgo.Record{}, map[key]*kgo.Record{}
	for r := range fetches.RecordsAll() {
		switch k := (key{r.Partition, string(r.Key)}); {
		case r.Attrs.IsControl() || r.Value == nil:
		case r.Topic == p.topics.Orders:
			placed[k] = r
		case r.Topic == p.topics.Status && wire.Type(r) == wire.TypeStatus:
			states[k] = r
		}
	}
	var ids []order.ID
	for k := range placed {
		if states[k] != nil {
			delete(placed, k)
			continue
		}
		ids = append(ids, order.ID(k.id))
	}
	all, there := entries{}, known(ids)
	for k, r := range placed {
		if there[order.ID(k.id)] {
			all[r] = entry{known: true}
		} else {
			all[r] = p.read(r)
		}
	}
	for _, r := range states {
		all[r] = p.read(r)
	}
	return all
}

func (p *projection) read(r *kgo.Record) entry {
	if r.Topic == p.topics.Status {
		return readState(r)
	}
	return p.readPlaced(r)
}

func (p *projection) readPlaced(r *kgo.Record) (e entry) {
	o, err := wire.ReadOrder(r)
	if err != nil {
		return entry{err: err}
	}
	if home := p.home; home != nil && home(r.Key, r.Headers) != r.Partition {
		return entry{err: fmt.Errorf("%w: order %s belongs to partition %d", wire.ErrUndecodable, o.ID, home(r.Key, r.Headers))}
	}
	e.row = newRow(o, r)
	e.row.Offset, e.row.Status = r.Offset, order.Accepted
	return e
}

func readState(r *kgo.Record) (e entry) {
	s, err := wire.ReadState(r)
	if err != nil {
		return entry{err: err}
	}
	e.row, e.replays = newRow(s.Order, r), replays(s)
	e.row.Begun = true
	if s.Status == order.Dead && s.DeadLetter != nil {
		e.dead = &s
	}
	return e
}

// newRow is the part of a row that is the same for an order that was placed and one that is begun.
func newRow(o order.Order, r *kgo.Record) Row {
	row := Row{ID: o.ID, Partition: r.Partition, PlacedAt: o.PlacedAt, Owner: o.Owner, Reference: o.Reference, Value: r.Value}
	row.Words = words(people(o))
	if o.Refund != nil {
		row.RefundOf = o.Refund.Of
	}
	return row
}

// people are the texts of an order by which people look for it.
func people(o order.Order) string {
	buyer, _ := o.Buyer()
	return strings.Join([]string{o.Customer.Name, o.Customer.Company, buyer.Name, buyer.Company, o.Customer.Email}, " ")
}
