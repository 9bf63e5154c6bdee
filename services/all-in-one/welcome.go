package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"example.com/orders/services/order-api/api"
	"example.com/orders/services/order-api/ctl"
	"example.com/orders/shared/config"
)

// welcome prints the addresses of all parts once the API is listening, and places the sample
// orders.
func (d *demo) welcome(ctx context.Context) error {
	select {
	case <-d.listening:
		if err := d.printAddresses(d.url); err != nil {
			return err
		}
		d.placeSample(ctx, d.url)
	case <-ctx.Done():
	}
	<-ctx.Done()
	return nil
}

func (d *demo) printAddresses(api string) error {
	var lines bytes.Buffer // written at once: on a terminal, log lines would come between the columns
	w := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Shop\t%s/\n", api)
	fmt.Fprintf(w, "API\t%s/v1/orders\n", api)
	fmt.Fprintf(w, "Documentation\t%s/docs\n", api)
	if d.inbox != nil {
		fmt.Fprintf(w, "Inbox\thttp://%s/\n", d.inbox.HTTPAddr())
	}
	fmt.Fprintf(w, "Mail server\t%s\n", d.Worker.SMTP)
	fmt.Fprintf(w, "Kafka\t%s\n", d.kafka.Brokers[0])
	fmt.Fprintf(w, "Data\t%s\n", d.API.Data)
	if err := w.Flush(); err != nil {
		return err
	}
	if _, err := lines.WriteTo(d.stdout); err != nil {
		return err
	}
	worker := fmt.Sprintf("bin/order-worker --brokers %s --smtp %s", d.kafka.Brokers[0], d.Worker.SMTP)
	if d.Worker.ShopURL != "" {
		worker += " --shop-url " + d.Worker.ShopURL
	}
	header, token := "", ""
	if d.required() {
		header, token = " -H 'Authorization: Bearer "+d.keys[0].text+"'", " --token-file "+d.keyFile("operator")
	}
	_, err := fmt.Fprintf(d.stdout, `
Try, in another terminal:
  curl -sS%s -H 'Content-Type: application/json' -H 'Prefer: wait=10' -d @deploy/sample/order.json %s/v1/orders
  bin/ordersctl --api %s%s dlq list
  %s    # starts another worker
`, header, api, api, token, worker)
	if err := errors.Join(err, d.printKeys(api)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.stdout, "\nPress Ctrl-C to stop. All data stay in %s.\n", d.API.Data)
	return err
}

// placeSample places the orders of the sample file as ordersctl does, and reports how they ended.
// The sample has idempotency keys, so a second start places no order twice.
func (d *demo) placeSample(ctx context.Context, api string) {
	if d.Sample == "" {
		return
	}
	// A writer that is no *os.File gets no progress bar, which the log would overwrite.
	stderr := struct{ io.Writer }{d.stderr}
	args := []string{"place", "--api", api, "--wait", "60s", d.Sample}
	if d.required() {
		args = append(args, "--token-file", d.keyFile("customer"))
	}
	err := ctl.Run(ctx, args, func(string) string { return "" }, strings.NewReader(""), io.Discard, stderr)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		config.PrintError(d.stderr, "all-in-one", config.Hint(fmt.Errorf("sample orders: %w", err), "list the dead letters with: ordersctl dlq list"))
	default:
		fmt.Fprintln(d.stderr, "all-in-one: sample orders: all confirmed")
	}
}

// required reports whether a request needs a key, and the demo has some.
func (d *demo) required() bool { return d.API.Auth == api.AuthKeys && len(d.keys) > 0 }

// printKeys prints the demo keys, each with an example.
func (d *demo) printKeys(url string) error {
	if len(d.keys) == 0 {
		return nil
	}
	without := "Without a key you are the demo operator, who may do everything."
	if d.required() {
		without = "Requests without a key are refused."
	}
	_, err := fmt.Fprintf(d.stdout, "\nDemo keys. %s With a key you may do what its role may:\n", without)
	for _, k := range d.keys {
		_, err2 := fmt.Fprintf(d.stdout, "  curl -sS -H 'Authorization: Bearer %s' '%s/v1/orders?limit=3'    # %s: %s\n", k.text, url, k.role, k.shows)
		err = errors.Join(err, err2)
	}
	return err
}

// demoKey is an API key that the first start creates, so that visitors can see permissions at work.
type demoKey struct {
	role  string
	shows string // what the example of welcome shows
	text  string
}

// createKeys creates the demo keys in the data directory at the first start, and reads them at
// later ones. It does nothing if the visitor has set a file of keys, or an issuer.
func (d *demo) createKeys() error {
	if d.API.APIKeys != "" || d.API.Auth == api.AuthOIDC {
		return nil
	}
	if err := os.MkdirAll(d.API.Data, 0o700); err != nil {
		return err
	}
	d.API.APIKeys = d.folder("keys.yaml")
	_, err := os.Stat(d.API.APIKeys)
	lost := errors.Is(err, fs.ErrNotExist) // then the keys of an earlier start are not valid
	for _, k := range []demoKey{
		{role: "customer", shows: "its own orders: none at first"},
		{role: "viewer", shows: "all orders, personal data masked"},
		{role: "operator", shows: "all orders"},
	} {
		text, err := os.ReadFile(d.keyFile(k.role))
		if lost || errors.Is(err, fs.ErrNotExist) {
			text, err = d.createKey(k.role)
		}
		if err != nil {
			return err
		}
		k.text = strings.TrimSpace(string(text))
		d.keys = append(d.keys, k)
	}
	return nil
}

// createKey adds a key to the file of keys, and saves its text in a file of its own.
func (d *demo) createKey(role string) ([]byte, error) {
	text, err := api.CreateKey(d.API.APIKeys, "demo-"+role, "Demo "+role, role)
	if err != nil {
		return nil, fmt.Errorf("creating the demo keys: %w", err)
	}
	line := []byte(text + "\n")
	return line, os.WriteFile(d.keyFile(role), line, 0o600)
}

// keyFile is the path of the file with the text of a demo key.
func (d *demo) keyFile(role string) string { return d.folder("demo-" + role + ".key") }
