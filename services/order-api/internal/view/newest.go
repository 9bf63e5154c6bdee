package view

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// newest leaves out what a later record of the same batch replaces: of the states of an order the
// newest alone is read and stored, and the order as placed only if there is none. Compaction may do
// the same to the topic before the view reads it. A dead state is not left out: the dead letter that
// it points at may be gone from its topic.
//
// If a record that counts cannot be read, an error of all methods, the batch is made again without it.
type newest struct {
	unread map[key]*unread
	order  []*unread // in which they came
}

// errUnreadable says that a record cannot be read for which others were left out.
var errUnreadable = errors.New("the newest record of an order cannot be read")

// key is that of the records of an order, in a partition of orders and of orders.status.
type key struct {
	partition int32
	id        string
}

// unread is what is not added to the batch yet of the records with a key.
type unread struct {
	placed, state *kgo.Record // or nil
	head          wire.Head   // of state
}

func newNewest() *newest { return &newest{unread: map[key]*unread{}} }

// of is what is not read of the key of a record.
func (n *newest) of(r *kgo.Record) *unread {
	k := key{r.Partition, string(r.Key)}
	u := n.unread[k]
	if u == nil {
		u = &unread{}
		n.unread[k], n.order = u, append(n.order, u)
	}
	return u
}

// placed adds an order. If it is the second one with its key, the first is read before.
func (n *newest) placed(d *draft, r *kgo.Record) error {
	u := n.of(r)
	if u.placed != nil {
		if err := u.add(d); err != nil {
			return err
		}
	}
	u.placed = r
	return nil
}

// state adds a state.
func (n *newest) state(d *draft, r *kgo.Record, head wire.Head) error {
	u := n.of(r)
	u.state, u.head = r, head
	if head.Status == order.Dead {
		return u.add(d)
	}
	return nil
}

// settle reads what there is of the key of a record.
func (n *newest) settle(d *draft, r *kgo.Record) error { return n.of(r).add(d) }

// finish reads the rest.
func (n *newest) finish(d *draft) error {
	for _, u := range n.order {
		if err := u.add(d); err != nil {
			return err
		}
	}
	return nil
}

// add adds what is unread to a batch.
func (u *unread) add(d *draft) (err error) {
	placed, state := u.placed, u.state
	u.placed, u.state = nil, nil
	switch {
	case state != nil:
		err = d.replace(state, u.head)
	case placed != nil:
		err = d.place(placed)
	}
	if err != nil {
		return errUnreadable // without its cause: what was left out counts then
	}
	return nil
}
