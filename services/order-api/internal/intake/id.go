package intake

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"example.com/orders/shared/order"
)

// newID returns the ID of an order with an idempotency key, or a random one for an empty key. An
// order without a key can be in any partition: newID prefers one that is not blocked.
func (in *Intake) newID(key string) order.ID {
	id := in.deriveID(key)
	for range 64 {
		if key != "" || in.view.CheckPartition(in.partition(id)) == nil {
			break
		}
		id = in.deriveID(key)
	}
	return id
}

func (in *Intake) deriveID(key string) order.ID {
	encoding := base32.StdEncoding.WithPadding(base32.NoPadding)
	// The scope is the principal. There is no sign-in yet, so it is empty.
	return order.ID("ord_" + strings.ToLower(encoding.EncodeToString(in.token("", key))))
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
