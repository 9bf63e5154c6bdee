package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"example.com/orders/services/order-api/ctl"
	"example.com/orders/shared/config"
)

// welcome prints the addresses of all parts once the API is listening, and places the sample
// orders.
func (d *demo) welcome(ctx context.Context) error {
	select {
	case address := <-d.listening:
		api := d.API.scheme() + address
		if err := d.printAddresses(api); err != nil {
			return err
		}
		d.placeSample(ctx, api)
	case <-ctx.Done():
	}
	<-ctx.Done()
	return nil
}

func (d *demo) printAddresses(api string) error {
	w := tabwriter.NewWriter(d.stdout, 0, 0, 2, ' ', 0)
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
