package apikey

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"example.com/orders/services/order-api/internal/identity"
)

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
	return replace(path, text)
}

// lock waits until no other program changes the file, which takes milliseconds. The lock is on a
// file of its own, which stays: the file of keys is replaced. It ends with the process, too.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
	}
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

// replace writes a file that only its owner can read, in one step: readers see the old file or the
// new one. The owner stays the same.
func replace(path, text string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.WriteString(text)
	if err := errors.Join(err, keepOwner(path, f), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// keepOwner gives a new file the owner of the one that it replaces: the API may run as another user
// than the person who creates keys.
func keepOwner(path string, f *os.File) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if was, ok := info.Sys().(*syscall.Stat_t); ok && int(was.Uid) != os.Getuid() {
		return f.Chown(int(was.Uid), int(was.Gid))
	}
	return nil
}
