package intake

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/shared/order"
)

// newID returns the ID of a principal's order with an idempotency key, or a random one for an empty key. An
// order without a key can be in any partition: its ID leads to that of turns.
func (in *Intake) newID(by identity.Principal, key string) order.ID {
	token := in.token(scope(by), key)
	if key != "" {
		return orderID(token)
	}
	usable := func(p int32) bool { return in.view.CheckPartition(p) == nil }
	partition := in.turns.partition(in.cfg.Partitions, in.producer.gather.Busy(), usable)
	last := token[len(token)-2:] // the other 14 bytes cannot be guessed
	for range 32 * in.cfg.Partitions {
		if in.partition(orderID(token)) == partition {
			break
		}
		binary.BigEndian.PutUint16(last, binary.BigEndian.Uint16(last)+1)
	}
	return orderID(token)
}

func orderID(token []byte) order.ID { return order.ID("ord_" + text(token)) }

// scope is whom an idempotency key belongs to: a key of one principal is another key than that of
// any other. Guests share a scope, which is no actor's text.
func scope(by identity.Principal) string { return cmp.Or(by.Actor().String(), "guest") }

// newLinkToken returns a random link token.
func (in *Intake) newLinkToken() string { return text(in.token("", "")) }

// text is 16 bytes in 26 lower-case letters and digits.
func text(token []byte) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(token))
}

// token returns 16 bytes that cannot be guessed: derived from scope and key, or random for an empty
// key. Keys and scopes contain no zero byte, except as the first of a scope.
func (in *Intake) token(scope, key string) []byte {
	token := make([]byte, 16)
	if key == "" {
		rand.Read(token) // never fails: crypto/rand ends the process instead
		return token
	}
	mac := hmac.New(sha256.New, in.cfg.Secret)
	mac.Write([]byte(scope + "\x00" + key))
	copy(token, mac.Sum(nil))
	return token
}
