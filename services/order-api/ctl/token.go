package ctl

import (
	"bytes"
	"cmp"
	"fmt"
	"os"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

// credentials are the settings of the sign-in.
type credentials struct {
	TokenFile string `env:"ORDERS_TOKEN_FILE" placeholder:"FILE" help:"File with the API key or other bearer token to sign in with; only its owner may have access. ORDERS_TOKEN may hold the token itself, if no file is set."`
	Token     string `env:"ORDERS_TOKEN" secret:"" hidden:"" help:"Bearer token to sign in with."`
	PlainHTTP bool   `name:"plain-http" env:"ORDERS_PLAIN_HTTP" help:"Send the token to an http:// URL on another machine, too. Everybody on the way can read it."`
}

// maxToken is the maximum size of a token file in bytes.
const maxToken = 16 << 10

// signIn returns the client of the API, for a command that does not always use the API.
type signIn func() (*client.Client, error)

// signIn returns a client with the token, if there is one.
func (c credentials) signIn(api *client.Client) (*client.Client, error) {
	token, err := c.token()
	if token == "" || err != nil {
		return api, err
	}
	api, err = api.WithToken(token, c.PlainHTTP)
	if err != nil {
		return nil, config.Hint(fmt.Errorf("%s: %w", cmp.Or(c.TokenFile, "ORDERS_TOKEN"), err),
			"the token is the line that ordersctl keys create prints; use an https:// URL, or set --plain-http")
	}
	return api, nil
}

// token reads the token. A file that is empty is an error, and no file is no token.
func (c credentials) token() (string, error) {
	if c.TokenFile == "" {
		return c.Token, nil
	}
	info, err := os.Stat(c.TokenFile)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return "", config.Hint(fmt.Errorf("--token-file: %s: other users have access to this file", c.TokenFile), "run: chmod 600 "+c.TokenFile)
	}
	text, err := config.ReadFile(c.TokenFile, maxToken)
	if err == nil && len(bytes.TrimSpace(text)) == 0 {
		err = fmt.Errorf("%s: is empty", c.TokenFile)
	}
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	return string(bytes.TrimSpace(text)), nil
}
