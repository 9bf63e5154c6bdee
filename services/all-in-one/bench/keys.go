package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// keyOf is the API key of a customer.
func keyOf(customer string) string {
	return "ok_" + keyID(customer) + "_" + strings.Repeat("a", 52)
}

func keyID(customer string) string { return strings.ReplaceAll(customer, "-", "") }

// keyFile writes a file with the API keys of customers, each of whom may be named more than once.
func (b *bench) keyFile(customers []string) (path string, err error) {
	text, known := "keys:\n", map[string]bool{}
	for _, c := range customers {
		if !known[c] {
			known[c] = true
			text += fmt.Sprintf("  - {id: %s, principal: %s, role: customer, sha256: %x}\n", keyID(c), c, sha256.Sum256([]byte(keyOf(c))))
		}
	}
	path = filepath.Join(b.dir, "keys.yaml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}
