package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"time"

	"example.com/orders/services/order-api/internal/identity"
)

// Key is an API key without its secret.
type Key struct {
	ID        string             // part of the text of the key, as in ok_ID_SECRET
	Principal identity.Principal // whom the key signs in; several keys can have the same
	Created   time.Time          // zero: unknown
	Expires   time.Time          // zero: never
	Revoked   time.Time          // zero: not revoked
	Used      time.Time          // last use; zero: none since the start of the process. Set by Store.Keys only
	hash      [sha256.Size]byte  // of the text of the key
}

// The states of a key.
const (
	Active  = "active"
	Expired = "expired"
	Revoked = "revoked"
)

// State is the state of the key at a time: Active, Expired or Revoked.
func (k Key) State(now time.Time) string {
	switch {
	case !k.Revoked.IsZero():
		return Revoked
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return Expired
	}
	return Active
}

// Sizes of the random parts in bytes. An ID is no secret.
const (
	idBytes     = 5
	secretBytes = 32
)

// maxText is the maximum length of the text of a key.
const maxText = len(identity.KeyPrefix) + maxID + 1 + 64

// letters encodes the random parts.
func letters(bytes int) string {
	random := make([]byte, bytes)
	rand.Read(random) // never returns an error
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random))
}

// generate gives the key an ID and a secret, and returns its text.
func (k *Key) generate() string {
	k.ID = letters(idBytes)
	text := identity.KeyPrefix + k.ID + "_" + letters(secretBytes)
	k.hash = sha256.Sum256([]byte(text))
	return text
}

// idOf returns the ID in the text of a key, or "".
func idOf(text string) string {
	rest, ok := strings.CutPrefix(text, identity.KeyPrefix)
	id, _, found := strings.Cut(rest, "_")
	if !ok || !found || len(text) > maxText {
		return ""
	}
	return id
}
