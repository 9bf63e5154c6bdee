package apikey

import (
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/shared/config"
)

// document is the content of a file.
type document struct {
	Keys []*row // nil: written as null
}

// row is a key as it is in a file.
type row struct {
	ID, Principal, Name, Role, SHA256 string
	Created, Expires, Revoked         string
}

// Limits of a row.
const (
	maxID   = 64
	maxName = 128
)

var (
	idForm        = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	principalForm = regexp.MustCompile(`^[!-~]{1,128}$`)
)

// parse reads the text of a file. The error has a line for each fault, and never a hash: it may be
// a key that somebody pasted there.
func parse(name string, text []byte) ([]Key, error) {
	var d document
	var keys []Key
	err := config.ParseYAML(name, text, &d, func(root config.Place) {
		if d.Keys == nil {
			root.Wrong("keys is missing: without any, write keys: []")
		}
		lines := map[string]bool{}
		for i, r := range d.Keys {
			at := root.At("keys", i)
			if r == nil {
				at.Wrong("is empty")
				continue
			}
			if lines[r.ID] {
				at.At("id").Wrong("another key has the same id")
			}
			lines[r.ID] = true
			keys = append(keys, r.key(at))
		}
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// key checks a row and returns its key.
func (r row) key(at config.Place) Key {
	k := Key{ID: r.ID, Principal: identity.Principal{ID: r.Principal, Name: r.Name, Role: identity.Role(r.Role)}}
	if !idForm.MatchString(r.ID) {
		at.At("id").Wrong("id must be 1 to %d lower-case letters, digits and hyphens", maxID)
	}
	if r.Principal == "" {
		k.Principal.ID = r.ID
	}
	if field, fault := faultOf(k.Principal); fault != "" && (field != "principal" || r.Principal != "") {
		at.At(field).Wrong("%s", fault)
	}
	hash, err := hex.DecodeString(r.SHA256)
	if err != nil || len(hash) != len(k.hash) {
		at.At("sha256").Wrong("sha256 must be the SHA-256 of the key, as 64 hexadecimal digits")
	}
	copy(k.hash[:], hash)
	moment := func(name, text string) (t time.Time) {
		if text != "" {
			if t, err = time.Parse(time.RFC3339, text); err != nil {
				at.At(name).Wrong("%s must be a time such as 2027-01-31T00:00:00Z", name)
			}
		}
		return t
	}
	k.Created, k.Expires, k.Revoked = moment("created", r.Created), moment("expires", r.Expires), moment("revoked", r.Revoked)
	return k
}

// faultOf returns what is wrong with a principal, and in which field; or "".
func faultOf(p identity.Principal) (field, fault string) {
	switch {
	case !slices.Contains(identity.Roles(), p.Role):
		return "role", fmt.Sprintf("role must be one of %s", identity.Roles())
	case !principalForm.MatchString(p.ID):
		return "principal", "principal must be 1 to 128 visible ASCII characters"
	case len(p.Name) > maxName || !utf8.ValidString(p.Name) || strings.ContainsFunc(p.Name, config.IsControl):
		return "name", fmt.Sprintf("name must be at most %d bytes, without control characters", maxName)
	}
	return "", ""
}

// maxFile is the maximum size of a file in bytes: about 4,000 keys.
const maxFile = 1 << 20

// Load reads a file of keys. The error has a line for each fault, as "file:line: fault".
func Load(path string) ([]Key, error) {
	text, err := config.ReadFile(path, maxFile)
	if err != nil {
		return nil, err
	}
	return parse(path, text)
}

// checkMode refuses a file that others can change: they could give themselves any role. It reports
// whether others can read it: that shows names and roles, but no key, because a hash of 256 random
// bits cannot be inverted.
func checkMode(path string) (readable bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	if info.Mode().Perm()&0o022 != 0 {
		err = config.Hint(fmt.Errorf("%s: other users can change this file", path), "run: chmod 600 "+path)
	}
	return info.Mode().Perm()&0o004 != 0, err
}
