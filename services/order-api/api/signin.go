package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"example.com/orders/services/order-api/internal/identity/oidc"
	"example.com/orders/services/order-api/internal/identity/session"
	"example.com/orders/shared/config"
)

// openID signs in with an OpenID Connect issuer.
type openID struct {
	issuer *oidc.Issuer // or nil: there is no issuer
	pages  *oidc.Pages  // or nil: bearer tokens only

	sessions *session.Sessions
}

// sessions are those of browsers. Their cookies are sent over HTTPS only, if browsers reach the API so.
func (cfg *Config) sessions() *session.Sessions {
	return session.New(cfg.TLSCert != "" || strings.HasPrefix(strings.ToLower(cfg.PublicURL), "https:"), time.Now)
}

// withIssuer adds what browsers and tokens sign in with, and the sessions.
func (s *signIn) withIssuer(ctx context.Context, cfg *Config, at net.Addr) (*openID, error) {
	o, err := cfg.openID(ctx, at)
	if err != nil {
		return nil, err
	}
	if o.issuer != nil {
		s.Tokens = o.issuer
	}
	if o.pages != nil || s.keys != nil {
		s.Sessions = o.sessions
	}
	return o, nil
}

// openID returns the issuer of the settings; its fields are nil if there is none. If the issuer is away, the
// API starts all the same, and logs a warning.
func (cfg *Config) openID(ctx context.Context, at net.Addr) (*openID, error) {
	sessions := cfg.sessions()
	if cfg.OIDCIssuer == "" {
		if cfg.OIDCClientID != "" || len(cfg.OIDCAudience) > 0 {
			return nil, errors.New("--oidc-client-id and --oidc-audience need --oidc-issuer")
		}
		return &openID{sessions: sessions}, nil
	}
	audiences := cfg.OIDCAudience
	if len(audiences) == 0 {
		audiences = []string{cfg.OIDCClientID}
	}
	if audiences[0] == "" {
		return nil, errors.New("--oidc-issuer needs --oidc-client-id or --oidc-audience")
	}
	roles, err := oidc.LoadRoles(cfg.OIDCRoles)
	if err != nil {
		return nil, fmt.Errorf("--oidc-roles: %w", err)
	}
	issuer, err := oidc.New(oidc.Config{URL: cfg.OIDCIssuer, Audiences: audiences, Roles: roles, Log: cfg.Log})
	if err != nil {
		return nil, fmt.Errorf("--oidc-issuer: %w", err)
	}
	pages, err := cfg.signInPages(issuer, at, sessions)
	if err != nil {
		return nil, err
	}
	_ = issuer.Discover(ctx) // it logs the error, and is repeated when the issuer is needed
	return &openID{issuer, pages, sessions}, nil
}

// signInPages returns nil if there is no client ID.
func (cfg *Config) signInPages(issuer *oidc.Issuer, at net.Addr, sessions *session.Sessions) (*oidc.Pages, error) {
	if cfg.OIDCClientID == "" {
		return nil, nil
	}
	client := oidc.PagesConfig{ClientID: cfg.OIDCClientID, PublicURL: cfg.PublicURL, Sessions: sessions}
	if client.PublicURL == "" {
		client.PublicURL = "http://" + at.String() // refused unless it is a loopback address
		if cfg.TLSCert != "" {
			client.PublicURL = "https://" + at.String()
		}
	}
	if cfg.OIDCClientSecretFile != "" {
		secret, err := config.ReadFile(cfg.OIDCClientSecretFile, maxSecret)
		if err != nil {
			return nil, fmt.Errorf("--oidc-client-secret-file: %w", err)
		}
		if client.ClientSecret = string(bytes.TrimSpace(secret)); client.ClientSecret == "" {
			return nil, fmt.Errorf("--oidc-client-secret-file: %s is empty", cfg.OIDCClientSecretFile)
		}
	}
	pages, err := oidc.NewPages(issuer, client)
	if err != nil {
		return nil, fmt.Errorf("--public-url: %w", err)
	}
	return pages, nil
}
