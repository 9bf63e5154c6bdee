package apikey

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/shared/config"
	"example.com/orders/shared/filelock"
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

// Errors of Create and Revoke.
var (
	ErrUnknown = errors.New("there is no key with this ID")
	ErrInvalid = errors.New("invalid principal") // wrapped errors name the fault
)

// Init creates a file without keys, unless it exists.
func Init(path string) error {
	return change(path, func(keys []Key, _ time.Time) ([]Key, error) { return keys, nil })
}

// Create adds a key for a principal to a file, which it creates if it is missing, and returns the
// text of the key. A principal without an ID gets that of the key. A zero time is never.
func Create(path string, p identity.Principal, expires time.Time) (text string, k Key, err error) {
	err = change(path, func(keys []Key, now time.Time) ([]Key, error) {
		k = Key{Principal: p, Created: now, Expires: expires}
		for text == "" || slices.ContainsFunc(keys, func(other Key) bool { return other.ID == k.ID }) {
			text = k.generate()
		}
		k.Principal.ID = cmp.Or(p.ID, k.ID)
		if _, fault := faultOf(k.Principal); fault != "" {
			return nil, fmt.Errorf("%w: %s", ErrInvalid, fault)
		}
		return append(keys, k), nil
	})
	return text, k, err
}

// Revoke marks a key as revoked, and returns it. It is ErrUnknown if the file has no such key.
// Revoking a revoked key changes nothing.
func Revoke(path, id string) (k Key, err error) {
	if _, err := os.Stat(path); err != nil {
		return k, err
	}
	err = change(path, func(keys []Key, now time.Time) ([]Key, error) {
		i := slices.IndexFunc(keys, func(k Key) bool { return k.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("%s: %w", path, ErrUnknown)
		}
		if keys[i].Revoked.IsZero() {
			keys[i].Revoked = now
		}
		k = keys[i]
		return keys, nil
	})
	return k, err
}

// change replaces a file by one with other keys, while no other program changes it.
func change(path string, edit func(keys []Key, now time.Time) ([]Key, error)) error {
	// Replace the file that a link leads to, and not the link.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	unlock, err := lock(path + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	keys, err := Load(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if keys, err = edit(keys, time.Now().UTC().Truncate(time.Second)); err != nil {
		return err
	}
	text := format(keys)
	if len(text) > maxFile {
		return fmt.Errorf("%s: has no room for another key: remove revoked and expired ones", path)
	}
	// The owner stays the same: the API may run as another user than the person who creates keys.
	return config.ReplaceFile(path, []byte(text))
}

// lock waits until no other program changes the file, which takes milliseconds. The lock is on a
// file of its own, which stays: the file of keys is replaced. It ends with the process, too.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := filelock.Wait(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { filelock.Close(f) }, nil
}

// format writes keys as YAML. All values but names are of a form that needs no quotes.
func format(keys []Key) string {
	var b strings.Builder
	b.WriteString("# API keys. Written by: ordersctl keys. Comments are not kept.\n")
	if len(keys) == 0 {
		b.WriteString("keys: []\n")
		return b.String()
	}
	b.WriteString("keys:\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "  - id: %q\n    principal: %q\n    name: %q\n    role: %s\n    sha256: \"%x\"\n",
			k.ID, k.Principal.ID, k.Principal.Name, k.Principal.Role, k.hash)
		for _, moment := range []struct {
			name string
			at   time.Time
		}{{"created", k.Created}, {"expires", k.Expires}, {"revoked", k.Revoked}} {
			if !moment.at.IsZero() {
				fmt.Fprintf(&b, "    %s: %s\n", moment.name, moment.at.UTC().Format(time.RFC3339))
			}
		}
	}
	return b.String()
}
