package ctl

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

// credentials are the settings of the sign-in.
type credentials struct {
	TokenFile string `env:"ORDERS_TOKEN_FILE" placeholder:"FILE" help:"File with the API key or other bearer token to sign in with; only its owner may have access. ORDERS_TOKEN may hold the token itself. Default: the token of ordersctl login, orders/token in the directory for configuration."`
	Token     string `env:"ORDERS_TOKEN" secret:"" hidden:"" help:"Bearer token to sign in with."`
	PlainHTTP bool   `name:"plain-http" env:"ORDERS_PLAIN_HTTP" help:"Send the token to an http:// URL on another machine, too. Everybody on the way can read it."`
}

// maxToken is the maximum size of a token file in bytes.
const maxToken = 16 << 10

// signIn returns the client of the API, for a command that does not always use the API.
type signIn func() (*client.Client, error)

// signIn returns a client with the token, if there is one.
func (c credentials) signIn(ctx context.Context, api *client.Client, file tokenFile) (*client.Client, error) {
	token, err := c.token(ctx, file)
	if token == "" || err != nil {
		return api, err
	}
	api, err = api.WithToken(token, c.PlainHTTP)
	if err != nil {
		return nil, config.Hint(fmt.Errorf("%s: %w", cmp.Or(c.TokenFile, "the token"), err),
			"the token is the line that ordersctl keys create prints; use an https:// URL, or set --plain-http")
	}
	return api, nil
}

// file is the file of the token, or the one that login writes, or "" if there is no home directory.
func (c credentials) file(env func(string) string) tokenFile {
	if c.TokenFile != "" {
		return tokenFile(c.TokenFile)
	}
	return defaultTokenFile(env)
}

// token reads the token, and refreshes one of login that expires. A file that is empty is an error. Without
// --token-file, ORDERS_TOKEN comes before the file of login, and neither is no token.
func (c credentials) token(ctx context.Context, file tokenFile) (string, error) {
	if c.TokenFile == "" && (c.Token != "" || file == "") {
		return c.Token, nil
	}
	info, err := os.Stat(string(file))
	if c.TokenFile == "" && errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return "", config.Hint(fmt.Errorf("--token-file: %s: other users have access to this file", file), "run: chmod 600 "+string(file))
	}
	if err := file.refresh(ctx); err != nil {
		return "", err
	}
	text, err := config.ReadFile(string(file), maxToken)
	if err == nil && len(bytes.TrimSpace(text)) == 0 {
		err = fmt.Errorf("%s: is empty", file)
	}
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	return string(bytes.TrimSpace(text)), nil
}
