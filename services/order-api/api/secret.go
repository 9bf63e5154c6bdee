package api

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"example.com/orders/shared/config"
)

// Limits of a key: a shorter one can be guessed, a longer file is not a key.
const (
	minSecret = 16
	maxSecret = 4 << 10
)

// secret returns the key that order IDs are derived with: Secret, the content of SecretFile, or
// that of a file in the data directory, which the first start creates.
func (cfg *Config) secret() ([]byte, error) {
	if cfg.Secret != "" && cfg.SecretFile != "" {
		return nil, errors.New("--secret-file: ORDERS_SECRET is set, too: set one of them")
	}
	if cfg.Secret != "" {
		return checkSecret("ORDERS_SECRET", []byte(cfg.Secret))
	}
	path := cfg.SecretFile
	if path == "" {
		path = filepath.Join(cfg.Data, "secret")
		if err := createSecret(path); err != nil {
			return nil, fmt.Errorf("creating a secret: %w", err)
		}
	}
	text, err := config.ReadFile(path, maxSecret)
	if err != nil {
		return nil, fmt.Errorf("--secret-file: %w", err)
	}
	return checkSecret(path, bytes.TrimSpace(text))
}

func checkSecret(name string, secret []byte) ([]byte, error) {
	if len(secret) < minSecret {
		return nil, fmt.Errorf("%s: the key of order IDs must have at least %d characters", name, minSecret)
	}
	return secret, nil
}

// createSecret creates a file with a random key, unless it exists.
func createSecret(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, rand.Text()+rand.Text())
	return errors.Join(err, f.Sync(), f.Close())
}
