package oidc

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	coreos "github.com/coreos/go-oidc/v3/oidc"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/shared/telemetry"
)

// interval is the minimum time between two attempts to fetch a document.
const interval = 5 * time.Second

// fetched is a document of the issuer. It is fetched by one caller at a time, and not again within
// the interval after an attempt, whether that succeeded or not.
type fetched[T any] struct {
	name  string // in log lines
	cfg   Config
	fetch func(context.Context) (T, error)
	slot  chan struct{} // has an element while an attempt runs

	mu    sync.Mutex
	value *T        // or nil: never fetched
	at    time.Time // when the value was fetched
	tried time.Time // end of the last attempt
	err   error     // of the last attempt
}

func newFetched[T any](name string, cfg Config, fetch func(context.Context) (T, error)) *fetched[T] {
	return &fetched[T]{name: name, cfg: cfg, fetch: fetch, slot: make(chan struct{}, 1)}
}

// last returns the value, if it was ever fetched.
func (f *fetched[T]) last() (value T, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.value == nil {
		return value, false
	}
	return *f.value, true
}

// refresh fetches the value again. Within the interval after an attempt it returns the error of
// that attempt instead. A caller that finds an attempt running waits for it. Errors wrap
// identity.ErrUnavailable.
func (f *fetched[T]) refresh(ctx context.Context) error {
	select {
	case f.slot <- struct{}{}:
		defer func() { <-f.slot }()
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", identity.ErrUnavailable, context.Cause(ctx))
	}
	if recent, err := f.recent(interval); recent {
		return err
	}
	return f.attempt(ctx)
}

// renew fetches a value that is older than an age. It returns at once if an attempt runs, or if one
// ended within the minute.
func (f *fetched[T]) renew(ctx context.Context, age time.Duration) {
	f.mu.Lock()
	due := f.value != nil && f.cfg.Now().Sub(f.at) > age
	f.mu.Unlock()
	if !due {
		return
	}
	select {
	case f.slot <- struct{}{}:
		defer func() { <-f.slot }()
	default:
		return
	}
	if recent, _ := f.recent(time.Minute); !recent {
		_ = f.attempt(ctx) // it is logged, and the old value stays
	}
}

// recent reports whether the last attempt ended less than some time ago, and returns its error.
func (f *fetched[T]) recent(within time.Duration) (recent bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.tried.IsZero() && f.cfg.Now().Sub(f.tried) < within, f.err
}

// attempt does not end when the request of the caller does: others wait for the same document.
func (f *fetched[T]) attempt(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.cfg.Within)
	defer cancel()
	value, err := f.fetch(ctx)
	if err != nil {
		err = fmt.Errorf("%w: %s of %s: %w", identity.ErrUnavailable, f.name, f.cfg.URL, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	first, before := f.tried.IsZero(), f.err
	f.tried, f.err = f.cfg.Now(), err
	if err == nil {
		f.value, f.at = &value, f.tried
	}
	switch {
	case err != nil && (first || before == nil):
		f.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "OpenID Connect issuer not available: sign-ins and tokens with unknown keys get 503 until it is back",
			slog.String(telemetry.Error, err.Error()))
	case err == nil && (first || before != nil):
		f.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "OpenID Connect issuer available", slog.String(telemetry.Address, f.cfg.URL), slog.String(telemetry.Waiting, f.name))
	}
	return err
}

// maxDocument is the maximum size of an answer of the issuer in bytes.
const maxDocument = 1 << 20

// newClient returns the client for requests to the issuer. It follows no redirects: an issuer names
// its endpoints itself.
func newClient() *http.Client {
	return &http.Client{
		Transport:     bounded{http.DefaultTransport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bounded limits the bodies of answers.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxDocument)
	}
	return resp, err
}

func (i *Issuer) discover(ctx context.Context) (*metadata, error) {
	provider, err := coreos.NewProvider(coreos.ClientContext(ctx, i.client), i.URL)
	if err != nil {
		return nil, err
	}
	m := &metadata{provider: provider}
	if err := provider.Claims(m); err != nil {
		return nil, fmt.Errorf("reading the discovery document: %w", err)
	}
	endpoint := provider.Endpoint()
	for _, address := range []string{m.JWKS, endpoint.AuthURL, endpoint.TokenURL} {
		if u, err := url.Parse(address); err != nil || !trustworthy(u) {
			return nil, fmt.Errorf("reading the discovery document: %q is no https URL", address)
		}
	}
	return m, nil
}

// metadata returns the discovery document, and fetches it unless it is known.
func (i *Issuer) metadata(ctx context.Context) (*metadata, error) {
	if m, known := i.discovery.last(); known {
		return m, nil
	}
	err := i.discovery.refresh(ctx)
	m, known := i.discovery.last()
	if !known {
		return nil, err
	}
	return m, nil
}

// get returns the body of a document.
func (i *Issuer) get(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := i.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: answered %s", address, resp.Status)
	}
	return io.ReadAll(resp.Body)
}
