package ctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"example.com/orders/services/order-api/internal/identity/oidc"
	"example.com/orders/shared/config"
)

// login is the command that signs in with an OpenID Connect issuer.
type login struct {
	Issuer   string        `required:"" placeholder:"URL" help:"OpenID Connect issuer, the same as that of the API."`
	ClientID string        `name:"client-id" required:"" placeholder:"ID" help:"ID of a public client at the issuer with the redirect URI http://127.0.0.1/callback and any port. The API must accept it with --oidc-audience."`
	Scope    []string      `placeholder:"NAME" help:"Scopes to ask for, in addition to openid, profile and offline_access."`
	IDToken  bool          `name:"id-token" help:"Use the ID token even if the access token is a JWT."`
	Wait     time.Duration `default:"5m" help:"How long to wait for the sign-in in the browser."`
}

// Run prints the URL of the sign-in, waits for it, and writes the token into the token file.
func (l *login) Run(ctx context.Context, p *printer, file tokenFile) error {
	s := saved{Issuer: l.Issuer, ClientID: l.ClientID, Scopes: l.Scope, IDToken: l.IDToken}
	if file == "" {
		return errNoTokenFile
	}
	native, err := s.native()
	if err != nil {
		return config.Usage(fmt.Errorf("--issuer: %w", err))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.Wait, fmt.Errorf("the sign-in did not end within %s", l.Wait))
	defer cancel()
	tokens, err := native.SignIn(ctx, func(address string) { p.note("open this page in a browser on this machine, and sign in: " + address) })
	if err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	if err := file.write(s, tokens); err != nil {
		return err
	}
	return p.result("signed in; the token is in "+string(file), map[string]any{"token_file": string(file), "expires": tokens.Expires})
}

// logout is the command that forgets the token.
type logout struct{}

// Run deletes the files of a login, and revokes its refresh token at the issuer.
func (*logout) Run(ctx context.Context, p *printer, file tokenFile) error {
	s, err := file.read()
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has no token of ordersctl login", file)
	}
	if err != nil {
		return err
	}
	if s.Refresh != "" {
		native, err := s.native()
		if err == nil {
			err = native.Revoke(ctx, s.Refresh)
		}
		if err != nil {
			p.note("the refresh token stays valid at the issuer: " + err.Error())
		}
	}
	if err := errors.Join(os.Remove(string(file)), os.Remove(file.data())); err != nil {
		return err
	}
	return p.result("signed out; deleted "+string(file), map[string]any{"token_file": string(file)})
}

// saved is what a login leaves for the refresh of its token.
type saved struct {
	Issuer   string    `json:"issuer"`
	ClientID string    `json:"client_id"`
	Scopes   []string  `json:"scopes,omitempty"`
	IDToken  bool      `json:"id_token,omitempty"`
	Refresh  string    `json:"refresh_token,omitempty"`
	Expires  time.Time `json:"expires"` // of the token; zero: unknown
}

func (s saved) native() (*oidc.Native, error) {
	issuer, err := oidc.New(oidc.Config{URL: s.Issuer, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return &oidc.Native{Issuer: issuer, ClientID: s.ClientID, Scopes: s.Scopes, UseID: s.IDToken}, nil
}
