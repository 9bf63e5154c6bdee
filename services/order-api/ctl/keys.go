package ctl

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/apikey"
	"example.com/orders/shared/config"
)

// keys are the commands for API keys. They work on the file, and need no API; only list without a
// file asks the API.
type keys struct {
	File   string    `env:"ORDERS_API_KEYS" placeholder:"FILE" help:"File of API keys (YAML), the same as that of order-api. Without it, keys list asks the API, which knows when a key was last used; that needs the role admin."`
	Init   initKeys  `cmd:"" help:"Create the file without keys, unless it exists."`
	Create createKey `cmd:"" help:"Create an API key, and print it once."`
	List   listKeys  `cmd:"" help:"List API keys, without their secrets."`
	Revoke revokeKey `cmd:"" help:"Revoke an API key: the API refuses it within two seconds."`
}

// path returns the path of the file, or a usage error.
func (k *keys) path() (string, error) {
	if k.File == "" {
		return "", config.Usage(errors.New("set the file of keys with --file or ORDERS_API_KEYS"))
	}
	return k.File, nil
}

// newKey is a created key as --json prints it.
type newKey struct {
	Key string `json:"key"`
	client.APIKey
}

func describe(k apikey.Key) client.APIKey {
	return client.APIKey{
		ID: k.ID, Principal: k.Principal.ID, Name: k.Principal.Name, Role: string(k.Principal.Role), State: k.State(time.Now()),
		Created: k.Created, Expires: k.Expires, Revoked: k.Revoked,
	}
}

func day(t time.Time, zero string) string {
	if t.IsZero() {
		return zero
	}
	return t.UTC().Format(time.RFC3339)
}

type initKeys struct{}

// Run creates the file, so that order-api can start. It is idempotent.
func (*initKeys) Run(p *printer, file *keys) error {
	path, err := file.path()
	if err != nil {
		return err
	}
	if err := apikey.Init(path); err != nil {
		return err
	}
	return p.result(path+" is ready", map[string]string{"file": path})
}

type createKey struct {
	Name    string `required:"" help:"Name of the person or program, for people to read."`
	Role    string `required:"" help:"Role: customer, viewer, cashier, support, operator, editor or admin."`
	Expires string `placeholder:"WHEN" help:"The key expires after a time such as 90d or 12h, or on a day such as 2027-01-31 (at 00:00 UTC). Default: never."`
	ID      string `placeholder:"PRINCIPAL" help:"ID of the principal whom the key signs in: it owns the orders. Use it again to replace a key. Default: the ID of the key."`
}

// Run creates the key. It prints the text of the key, and nothing else, on stdout.
func (c *createKey) Run(p *printer, file *keys) error {
	path, err := file.path()
	if err != nil {
		return err
	}
	expires, err := expiry(c.Expires, time.Now())
	if err != nil {
		return config.Usage(fmt.Errorf("--expires %q: %w", c.Expires, err))
	}
	text, k, err := apikey.Create(path, identity.Principal{ID: c.ID, Name: c.Name, Role: identity.Role(c.Role)}, expires)
	if errors.Is(err, apikey.ErrInvalid) {
		return config.Usage(err)
	}
	if err != nil {
		return err
	}
	p.note(fmt.Sprintf("key %s of %s, role %s, expires %s: keep it now, it is not shown again", k.ID, k.Principal.ID, k.Principal.Role, day(k.Expires, "never")))
	return p.result(text, newKey{text, describe(k)})
}

// expiry returns when a key expires; zero for never.
func expiry(text string, now time.Time) (at time.Time, err error) {
	if text == "" {
		return at, nil
	}
	at, err = time.Parse(time.DateOnly, text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, wrong := strconv.ParseUint(days, 10, 15)
		at, err = now.AddDate(0, 0, int(n)), wrong
	} else if after, wrong := time.ParseDuration(text); wrong == nil {
		at, err = now.Add(after), nil
	}
	if err != nil {
		return at, errors.New("must be a time such as 90d or 12h, or a day such as 2027-01-31")
	}
	if !at.After(now) {
		return at, errors.New("must be in the future")
	}
	return at.UTC().Truncate(time.Second), nil
}

type listKeys struct{}

// Run prints a line for each key.
func (*listKeys) Run(ctx context.Context, p *printer, file *keys, api signIn) error {
	all, err := file.list(ctx, api)
	if err != nil {
		return err
	}
	for _, k := range all {
		text := fmt.Sprintf("%-8s %-7s %-8s created %-20s expires %-20s %s", k.ID, k.State, k.Role, day(k.Created, "-"), day(k.Expires, "never"), k.Principal)
		if k.Name != "" {
			text += " (" + k.Name + ")"
		}
		if file.File == "" {
			text += " last used " + day(k.LastUsed, "-")
		}
		if err := p.result(text, k); err != nil {
			return err
		}
	}
	return nil
}

// list returns the keys of the file, or of the API.
func (k *keys) list(ctx context.Context, signIn signIn) (all []client.APIKey, err error) {
	if k.File == "" {
		api, err := signIn()
		if err == nil {
			all, err = api.APIKeys(ctx)
		}
		return all, explain(err)
	}
	inFile, err := apikey.Load(k.File)
	for _, one := range inFile {
		all = append(all, describe(one))
	}
	return all, err
}

type revokeKey struct {
	KeyID string `arg:"" name:"id" help:"ID of the key, as keys list shows it."`
}

// Run revokes the key. It is idempotent.
func (c *revokeKey) Run(p *printer, file *keys) error {
	path, err := file.path()
	if err != nil {
		return err
	}
	k, err := apikey.Revoke(path, c.KeyID)
	if errors.Is(err, apikey.ErrUnknown) {
		return config.Hint(err, "list the keys with: ordersctl keys list")
	}
	if err != nil {
		return err
	}
	return p.result(k.ID+" revoked", describe(k))
}
