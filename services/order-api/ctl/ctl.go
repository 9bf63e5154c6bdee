// Package ctl is the program ordersctl: it places orders, follows them, and deals with letters, from a terminal.
//
// Results stand on stdout, one a line, and as NDJSON with --json; everything else goes to stderr. Orders and letters are
// reached through the API. Topics are reached through Kafka itself, because whether they are right is not for the API to say.
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

// name is how the program calls itself on stderr.
const name = "ordersctl"

// commands is everything that can be typed.
type commands struct {
	API  string `name:"api" env:"ORDERS_API" default:"http://127.0.0.1:8080" help:"Where the API is."`
	JSON bool   `name:"json" help:"Print results as lines of JSON."`

	Place   place       `cmd:"" help:"Place the orders of files: JSON with one order, NDJSON, CSV."`
	Quote   quote       `cmd:"" help:"Say what shipping of an order would cost."`
	Watch   watch       `cmd:"" help:"Follow an order until it has ended."`
	Get     getOrder    `cmd:"" help:"Show an order."`
	Cancel  cancelOrder `cmd:"" help:"Cancel an order that nobody has begun."`
	Refund  refund      `cmd:"" help:"Refund an order that is invoiced, wholly or in part."`
	Invoice invoices    `cmd:"" help:"Fetch issued invoices, and explain gaps in their numbers."`
	DLQ     letters     `cmd:"" name:"dlq" help:"Deal with letters: orders that could not be finished."`
	Audit   auditOrders `cmd:"" help:"Say what has become of every order (talks to Kafka, and trusts no service)."`
	Topics  topics      `cmd:"" help:"Create and check the topics (talks to Kafka, not to the API)."`
}

// Run does what args say and returns when it is done, or when ctx is.
func Run(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	var c commands
	var parsed *kong.Context
	err := config.Parse(&c, name, "Places orders, follows them, and deals with letters.", args, env, stdout, stderr,
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
	return parsed.Run(&printer{out: stdout, err: stderr, json: c.JSON}, client.New(c.API, nil), &c.Topics)
}
