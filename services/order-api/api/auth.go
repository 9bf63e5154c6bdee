package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/apikey"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// The values of Settings.Auth. API keys are valid with each of them, if APIKeys names a file.
const (
	AuthNone = "none" // a request without credentials is the demo operator's; loopback addresses only
	AuthKeys = "keys" // API keys are the only credentials
	AuthOIDC = "oidc" // also tokens and sign-ins of an OpenID Connect issuer
)

// checkAuth returns a usage error if settings of the sign-in are missing.
func (s *Settings) checkAuth() error {
	switch {
	case s.Auth == AuthKeys && s.APIKeys == "":
		return config.Usage(errors.New("--auth keys: set the file of keys with --api-keys or ORDERS_API_KEYS"))
	case s.Auth == AuthOIDC && s.OIDCIssuer == "":
		return config.Usage(errors.New("--auth oidc: set the issuer with --oidc-issuer or ORDERS_OIDC_ISSUER"))
	case s.Auth != AuthOIDC && s.OIDCIssuer != "":
		return config.Usage(errors.New("--oidc-issuer is used with --auth oidc only"))
	}
	return nil
}

// bind listens on the address of the API. Without sign-in it refuses an address that other
// machines can reach, whatever Access allows.
func (cfg *Config) bind(ctx context.Context) (net.Listener, error) {
	ln, err := serve.Listen(ctx, cfg.HTTP, "--http", "ORDERS_HTTP", cfg.Access)
	if err != nil || cfg.Auth == AuthKeys || cfg.Auth == AuthOIDC || serve.Loopback(ln.Addr()) {
		return ln, err
	}
	ln.Close()
	return nil, config.Hint(fmt.Errorf("--http: %s can be reached from other machines, and --auth none is for loopback addresses only", cfg.HTTP),
		"create a key with ordersctl keys create, and set --auth keys and --api-keys FILE")
}

// signIn is who finds out who sends a request, and what runs for that; run is never nil.
type signIn struct {
	identity.Chain
	keys *apikey.Store               // or nil
	run  func(context.Context) error // until its context is done
}

// openSignIn checks the settings of the sign-in, and reads the file of keys, if there is one.
func (cfg *Config) openSignIn() (signIn, error) {
	s := signIn{run: func(context.Context) error { return nil }}
	if err := cfg.checkAuth(); err != nil {
		return s, err
	}
	if cfg.Auth != AuthKeys && cfg.Auth != AuthOIDC {
		s.Anonymous = identity.DemoOperator()
	}
	if cfg.APIKeys == "" {
		return s, nil
	}
	keys, err := apikey.Open(cfg.APIKeys, cfg.Log)
	if err != nil {
		return s, fmt.Errorf("--api-keys: %w", err)
	}
	s.Keys, s.keys, s.run = keys, keys, keys.Run
	return s, nil
}

// CreateKey adds an API key that does not expire to a file, which it creates if it is missing, and
// returns the text of the key. ID and name are those of the principal whom the key signs in.
func CreateKey(file, id, name, role string) (text string, err error) {
	text, _, err = apikey.Create(file, identity.Principal{ID: id, Name: name, Role: identity.Role(role)}, time.Time{})
	return text, err
}

// record writes each change of the keys to the audit trail. The one who changed the file is unknown to
// the API, which is the actor.
func (s signIn) record(acts *trail.Trail, log *slog.Logger) {
	if s.keys == nil {
		return
	}
	s.keys.OnChange(func(ctx context.Context, what string) {
		api := order.Actor{Kind: order.ActorService, ID: "order-api"}
		if err := acts.Record(ctx, trail.Act{Kind: trail.KeyChange, Target: "api-keys", Reason: what, Actor: api}, wire.Done, ""); err != nil {
			log.Warn("a change of the API keys is not in the audit trail", telemetry.Reason, what, telemetry.Error, err)
		}
	})
}
