package email

import (
	"crypto/sha256"
	"sync"

	"example.com/orders/shared/order"
)

// maxRemembered is how many mails a generation holds: many times what a worker has in hand. A mail costs about 64 bytes, so
// two generations are 1.3 MB.
const maxRemembered = 10_000

// delivered remembers the last mails that this process has seen taken over, between one and two generations of them. When
// Kafka goes away after a mail and before its `confirmed` is acknowledged, the same worker often gets the order back, and
// need not send the customer a second mail. Another worker cannot know.
type delivered struct {
	mu       sync.Mutex
	new, old map[mailKey]struct{}
}

// mailKey names a mail by Message-ID and recipient: a letter that is replayed to another address is another mail.
type mailKey [sha256.Size]byte

func keyOf(w *order.State) mailKey {
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
