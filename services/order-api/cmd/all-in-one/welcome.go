package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"example.com/orders/services/order-api/internal/ctl"
	"example.com/orders/shared/telemetry"
)

// welcome tells where everything is as soon as the API answers, and places the sample orders.
func (d *demo) welcome(ctx context.Context) error {
	select {
	case address := <-d.listening:
		if err := d.tell("http://" + address); err != nil {
			return err
		}
		d.placeSample(ctx, "http://"+address)
	case <-ctx.Done():
	}
	<-ctx.Done()
	return nil
}

func (d *demo) tell(api string) error {
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
	_, err := fmt.Fprintf(d.stdout, `
Try, in another terminal:
  curl -sS -H 'Content-Type: application/json' -H 'Prefer: wait=10' -d @deploy/sample/order.json %s/v1/orders
  go run ./services/order-api/cmd/ordersctl --api %s dlq list
  go run ./services/order-worker --brokers %s --smtp %s    # one more worker

Ctrl-C ends it; all data stay in %s.
`, api, api, d.kafka.Brokers[0], d.Worker.SMTP, d.API.Data)
	return err
}

// placeSample places the orders of the sample file with the program that anybody would use. They have keys, so a second start places none twice.
func (d *demo) placeSample(ctx context.Context, api string) {
	if d.Sample == "" {
		return
	}
	err := ctl.Run(ctx, []string{"place", "--api", api, d.Sample}, func(string) string { return "" }, strings.NewReader(""), io.Discard, d.stderr)
	if err != nil && ctx.Err() == nil {
		d.log.LogAttrs(ctx, slog.LevelWarn, "placing the sample orders", slog.String(telemetry.Error, err.Error()))
	}
}
