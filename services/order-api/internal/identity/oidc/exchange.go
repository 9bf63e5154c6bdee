package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"slices"

	coreos "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/session"
)

// exchange gets the ID token for a code, and checks it.
func (p *Pages) exchange(ctx context.Context, m *metadata, code string, a attempt) (session.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, p.issuer.Within)
	defer cancel()
	token, err := p.oauth(m).Exchange(coreos.ClientContext(ctx, p.issuer.client), code, oauth2.VerifierOption(a.verifier))
	if err != nil {
		if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok && refused.ErrorCode == "invalid_grant" {
			return session.Session{}, fmt.Errorf("%w: exchanging the code: %w", ErrAttempt, err)
		}
		return session.Session{}, fmt.Errorf("%w: exchanging the code: %w", identity.ErrUnavailable, err)
	}
	text, _ := token.Extra("id_token").(string)
	s, err := p.session(ctx, text, a.nonce)
	if errors.Is(err, identity.ErrCredentials) && !errors.Is(err, ErrNoRole) {
		return session.Session{}, fmt.Errorf("%w: %w", ErrAttempt, err)
	}
	return s, err
}

// session is that of the person that an ID token is about.
func (p *Pages) session(ctx context.Context, text, nonce string) (session.Session, error) {
	t, err := p.issuer.parse(ctx, text)
	if err != nil {
		return session.Session{}, err
	}
	if err := meant(t, p.ClientID, nonce); err != nil {
		return session.Session{}, fmt.Errorf("%w: %w", identity.ErrCredentials, err)
	}
	principal, err := p.issuer.principal(t)
	if len(text) > 4<<10 {
		text = "" // the issuer asks the person instead
	}
	return session.Session{Principal: principal, With: "single sign-on", EndAt: func() string { return p.endAt(text) }}, err
}

// meant reports an ID token that is for another client or another attempt. A refreshed one is for
// none: its nonce is empty.
func meant(t *coreos.IDToken, client, nonce string) error {
	var claims struct {
		Party string `json:"azp"`
	}
	if err := t.Claims(&claims); err != nil {
		return fmt.Errorf("reading azp: %w", err)
	}
	switch {
	case !slices.Contains(t.Audience, client) || len(t.Audience) > 1 && claims.Party == "" || claims.Party != "" && claims.Party != client:
		return fmt.Errorf("the ID token is for %q", t.Audience)
	case nonce != "" && subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(nonce)) != 1:
		return errors.New("the ID token has another nonce")
	}
	return nil
}

// endAt is the URL at which a person whose session has ended also signs out at the issuer. It is empty if
// the issuer has none, or its discovery document is not known. The hint tells the issuer who that is.
func (p *Pages) endAt(hint string) string {
	m, known := p.issuer.discovery.last()
	if !known || m.EndSession == "" {
		return ""
	}
	u, err := url.Parse(m.EndSession)
	if err != nil || !trustworthy(u) {
		return ""
	}
	query := u.Query()
	query.Set("client_id", p.ClientID)
	query.Set("post_logout_redirect_uri", p.PublicURL+"/")
	if hint != "" {
		query.Set("id_token_hint", hint)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// oauth is the client of the issuer.
func (p *Pages) oauth(m *metadata) *oauth2.Config {
	endpoint := m.provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if p.ClientSecret == "" || len(m.AuthMethods) > 0 && !slices.Contains(m.AuthMethods, "client_secret_basic") {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: endpoint, RedirectURL: p.PublicURL + "/sign-in/callback",
		Scopes: append([]string{coreos.ScopeOpenID, "profile"}, p.issuer.Roles.Scopes...),
	}
}
