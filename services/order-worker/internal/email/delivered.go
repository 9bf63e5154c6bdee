package email

import (
	"crypto/sha256"
	"sync"

	"example.com/orders/shared/order"
)

// maxRemembered is the number of mails in a generation: many times the orders in flight of a
// worker. A mail takes about 64 bytes, so two generations take 1.3 MB.
const maxRemembered = 10_000

// delivered remembers the last mails that the server accepted from this process: one to two
// generations. If Kafka fails after a mail and before its `confirmed` record is acknowledged, the
// same worker often gets the order again, and does not send a second mail. Another worker does not
// have this knowledge.
type delivered struct {
	mu       sync.Mutex
	new, old map[mailKey]struct{}
}

// mailKey identifies a mail by Message-ID and recipient: a dead letter that is replayed to another
// address is another mail.
type mailKey [sha256.Size]byte

func keyOf(w *order.Work) mailKey {
	return sha256.Sum256([]byte(w.Progress.Email.MessageID + "\n" + w.Order.Customer.Email))
}

func (d *delivered) add(k mailKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.new == nil || len(d.new) == maxRemembered {
		d.new, d.old = map[mailKey]struct{}{}, d.new
	}
	d.new[k] = struct{}{}
}

func (d *delivered) has(k mailKey) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, fresh := d.new[k]
	_, stale := d.old[k]
	return fresh || stale
}
