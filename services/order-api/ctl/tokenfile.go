package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"example.com/orders/services/order-api/internal/identity/oidc"
	"example.com/orders/shared/config"
)

// tokenFile is the path of the file with the token of a login. The file has the token and nothing
// else. The file for its refresh has the same name with .json. Only their owner may read them.
type tokenFile string

// defaultTokenFile is the path without --token-file: in the user's directory for configuration. It
// is empty if there is none.
func defaultTokenFile(env func(string) string) tokenFile {
	dir := env("XDG_CONFIG_HOME")
	if dir == "" && env("HOME") == "" {
		return ""
	}
	if dir == "" {
		dir = filepath.Join(env("HOME"), ".config")
	}
	return tokenFile(filepath.Join(dir, "orders", "token"))
}

var errNoTokenFile = errors.New("there is no home directory: set --token-file")

func (f tokenFile) data() string { return string(f) + ".json" }

// read returns what the login left. It is fs.ErrNotExist if the file is of no login.
func (f tokenFile) read() (s saved, err error) {
	if f == "" {
		return s, errNoTokenFile
	}
	text, err := config.ReadFile(f.data(), 64<<10)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("%s: %w", f.data(), err)
	}
	return s, nil
}

// write stores the tokens of a login. The data for the refresh is written first: without it, the
// refresh token would be lost.
func (f tokenFile) write(s saved, tokens oidc.Tokens) error {
	s.Refresh, s.Expires = tokens.Refresh, tokens.Expires
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(string(f)), 0o700); err != nil {
		return err
	}
	if err := config.ReplaceFile(f.data(), append(text, '\n')); err != nil {
		return err
	}
	return config.ReplaceFile(string(f), []byte(tokens.Bearer+"\n"))
}

// early is how long before its expiry a token is refreshed.
const early = time.Minute

// refresh replaces the token if it expires within a minute and the login left a refresh token. It
// does nothing if the file is of no login: an API key, for example.
func (f tokenFile) refresh(ctx context.Context) error {
	s, err := f.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || s.Refresh == "" || s.Expires.IsZero() || time.Until(s.Expires) > early {
		return err
	}
	native, err := s.native()
	if err != nil {
		return fmt.Errorf("%s: %w", f.data(), err)
	}
	tokens, err := native.Refresh(ctx, s.Refresh)
	if err != nil {
		return config.Hint(err, fmt.Sprintf("sign in again: ordersctl login --issuer %s --client-id %s", s.Issuer, s.ClientID))
	}
	return f.write(s, tokens)
}
