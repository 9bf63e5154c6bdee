// Package ctl implements the program ordersctl: it places and follows orders, replays dead letters,
// and checks the topics.
//
// Results go to stdout, one a line, with --json as NDJSON; everything else goes to stderr. Commands
// for orders, dead letters and the audit trail use the API. The commands audit, topics and invoice gaps read Kafka
// directly, and keys changes a file, so they do not depend on a service.
package ctl

import (
	"context"
	"io"
	"strconv"

	"github.com/alecthomas/kong"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
	"example.com/orders/shared/topic"
)

// name begins each line on stderr.
const name = "ordersctl"

// commands is the command line; kong reads it.
type commands struct {
	API  string `name:"api" env:"ORDERS_API" default:"http://127.0.0.1:8080" help:"Base URL of the API."`
	JSON bool   `name:"json" help:"Print results as NDJSON: one JSON object per line."`
	credentials

	Place   place       `cmd:"" help:"Place orders from files (JSON with one order, NDJSON or CSV)."`
	Quote   quote       `cmd:"" help:"Show the shipping price of an order without placing it."`
	Watch   watch       `cmd:"" help:"Print the status changes of an order until it has a final status."`
	Get     getOrder    `cmd:"" help:"Show an order."`
	Pay     pay         `cmd:"" help:"Record a payment that was received for an order, or paid back."`
	Cancel  cancelOrder `cmd:"" help:"Cancel an order that no worker has begun, or one without an invoice that is retrying, waiting or dead."`
	Refund  refund      `cmd:"" help:"Refund an invoiced order in full or in part."`
	Invoice invoices    `cmd:"" help:"Download invoices, and explain gaps in the invoice numbers."`
	DLQ     deadLetters `cmd:"" name:"dlq" help:"List and replay dead letters."`
	Audit   auditOrders `cmd:"" help:"Check that every order is in exactly one place (reads Kafka directly). For who did what, see audit-log."`
	Acts    auditLog    `cmd:"" name:"audit-log" help:"Show the audit trail: who refunded, cancelled and replayed, and who was denied. It is not the reconciliation of audit."`
	Stats   showStats   `cmd:"" help:"Show the whole system: backlog, rates, workers and their partitions, dependencies, recent changes."`
	Ready   ready       `cmd:"" help:"Check that the API is ready for requests."`
	Keys    keys        `cmd:"" help:"Create, list and revoke API keys (changes a file of order-api)."`
	Login   login       `cmd:"" help:"Sign in with an OpenID Connect issuer, in a browser."`
	Logout  logout      `cmd:"" help:"Forget the token of login."`
	Topics  topics      `cmd:"" help:"Create and check the topics (uses Kafka directly)."`
}

// Run runs the command in args and returns when it is done, or when ctx is.
func Run(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	var c commands
	var parsed *kong.Context
	err := config.Parse(&c, name, "Places and follows orders, replays dead letters, and checks the topics.", args, env, stdout, stderr,
		kong.Vars{"partitions": strconv.Itoa(topic.Partitions)},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.WithAfterApply(func(k *kong.Context) error {
			parsed = k
			return nil
		}),
	)
	if err != nil {
		return err
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	parsed.BindTo(stdin, (*io.Reader)(nil))
	// Only commands that use the API read the token: others work without it.
	file := c.file(env)
	signedIn := func() (*client.Client, error) { return c.signIn(ctx, client.New(c.API, nil), file) }
	if err := parsed.BindToProvider(signedIn); err != nil {
		return err
	}
	return parsed.Run(file, &printer{out: stdout, err: stderr, json: c.JSON, columns: terminal(stdout)}, &c.Topics, &c.Keys, signIn(signedIn))
}
