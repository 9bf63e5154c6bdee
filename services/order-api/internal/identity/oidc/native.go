package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	coreos "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/session"
	"example.com/orders/shared/config"
	"example.com/orders/shared/serve"
)

// Native signs in the person at the terminal of a program, with the browser of the same machine
// (RFC 8252: code flow with PKCE, and a redirect to a loopback address). The client is public, and
// must be allowed to use the redirect URI http://127.0.0.1/callback with any port.
type Native struct {
	Issuer   *Issuer
	ClientID string
	Scopes   []string // in addition to openid, profile and offline_access
	UseID    bool     // use the ID token even if the access token is a JWT
}

// Tokens are the result of a sign-in.
type Tokens struct {
	Bearer  string    // for the API: the access token if it is a JWT, else the ID token
	Refresh string    // for Native.Refresh; or empty
	Expires time.Time // of Bearer; zero: unknown
}

// SignIn calls show with the URL that the person must open, and blocks until the person has signed
// in, the issuer refuses it, or ctx is done.
func (n *Native) SignIn(ctx context.Context, show func(address string)) (Tokens, error) {
	ln, err := serve.Open(ctx, "127.0.0.1:0", config.Access{})
	if err != nil {
		return Tokens{}, err
	}
	defer ln.Close()
	client, err := n.oauth2(ctx)
	if err != nil {
		return Tokens{}, err
	}
	client.RedirectURL = "http://" + ln.Addr().String() + "/callback"
	a := attempt{state: session.Random(), nonce: session.Random(), verifier: oauth2.GenerateVerifier()}
	show(client.AuthCodeURL(a.state, coreos.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier)))
	answer, err := receive(ctx, ln, a.state)
	if err != nil {
		return Tokens{}, err
	}
	if answer.Get("error") != "" {
		return Tokens{}, fmt.Errorf("%w: %q", ErrRefused, answer.Get("error"))
	}
	if iss := answer.Get("iss"); iss != "" && iss != n.Issuer.URL {
		return Tokens{}, fmt.Errorf("%w: sent by issuer %q", ErrAttempt, iss)
	}
	ctx, cancel := context.WithTimeout(ctx, n.Issuer.Within)
	defer cancel()
	token, err := client.Exchange(coreos.ClientContext(ctx, n.Issuer.client), answer.Get("code"), oauth2.VerifierOption(a.verifier))
	if err != nil {
		return Tokens{}, fmt.Errorf("exchanging the code: %w", err)
	}
	return n.tokens(ctx, token, a.nonce)
}

// Refresh returns new tokens for a refresh token, which is not valid any longer if the result has
// another one.
func (n *Native) Refresh(ctx context.Context, refresh string) (Tokens, error) {
	client, err := n.oauth2(ctx)
	if err != nil {
		return Tokens{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, n.Issuer.Within)
	defer cancel()
	token, err := client.TokenSource(coreos.ClientContext(ctx, n.Issuer.client), &oauth2.Token{RefreshToken: refresh}).Token()
	if err != nil {
		return Tokens{}, fmt.Errorf("refreshing the token: %w", err)
	}
	return n.tokens(ctx, token, "")
}

// Revoke makes a refresh token invalid at the issuer (RFC 7009). It does nothing if the issuer does
// not support that.
func (n *Native) Revoke(ctx context.Context, refresh string) error {
	m, err := n.Issuer.metadata(ctx)
	if err != nil || m.Revocation == "" {
		return err
	}
	form := url.Values{"token": {refresh}, "token_type_hint": {"refresh_token"}, "client_id": {n.ClientID}}
	ctx, cancel := context.WithTimeout(ctx, n.Issuer.Within)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Revocation, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := n.Issuer.client.Do(r)
	if err != nil {
		return fmt.Errorf("revoking the refresh token: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("revoking the refresh token: the issuer answered %s", resp.Status)
	}
	return nil
}

func (n *Native) oauth2(ctx context.Context) (*oauth2.Config, error) {
	m, err := n.Issuer.metadata(ctx)
	if err != nil {
		return nil, err
	}
	endpoint := m.provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	scopes := append([]string{coreos.ScopeOpenID, "profile", coreos.ScopeOfflineAccess}, n.Scopes...)
	return &oauth2.Config{ClientID: n.ClientID, Endpoint: endpoint, Scopes: scopes}, nil
}

// tokens checks the ID token, which an answer to Refresh may lack, and chooses the token for the
// API.
func (n *Native) tokens(ctx context.Context, token *oauth2.Token, nonce string) (Tokens, error) {
	result := Tokens{Bearer: token.AccessToken, Refresh: token.RefreshToken, Expires: token.Expiry}
	id, _ := token.Extra("id_token").(string)
	if id == "" && nonce != "" {
		return Tokens{}, errors.New("the issuer sent no ID token")
	}
	if id != "" {
		t, err := n.Issuer.parse(ctx, id)
		if err == nil {
			err = meant(t, n.ClientID, nonce)
		}
		if err != nil {
			return Tokens{}, fmt.Errorf("checking the ID token: %w", err)
		}
		if n.UseID || strings.Count(token.AccessToken, ".") != 2 {
			result.Bearer, result.Expires = id, t.Expiry
		}
	}
	if strings.Count(result.Bearer, ".") != 2 {
		return Tokens{}, fmt.Errorf("%w: the issuer sent neither a JWT as access token nor an ID token", identity.ErrCredentials)
	}
	return result, nil
}

// receive returns the parameters with which the issuer sends the browser back. It refuses other
// requests, and closes the listener.
func receive(ctx context.Context, ln net.Listener, state string) (answer url.Values, err error) {
	answers := make(chan url.Values, 1)
	handler := serve.Guard(config.Access{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if r.URL.Path != "/callback" || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(state)) != 1 {
			http.Error(w, "This request belongs to no sign-in.", http.StatusBadRequest)
			return
		}
		select {
		case answers <- query:
		default: // a repeated request: the first one counts
		}
		fmt.Fprintln(w, "Please return to the terminal. You can close this page.")
	}))
	serving, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- serve.Run(serving, ln, handler, time.Second) }() // ends with stop
	select {
	case answer = <-answers:
		stop()
		return answer, <-ended
	case err = <-ended:
		return nil, errors.Join(context.Cause(ctx), err)
	}
}
