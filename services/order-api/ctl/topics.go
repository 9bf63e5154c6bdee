package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
)

// topics are the commands that create and check topics; the services create none.
type topics struct {
	config.Kafka
	Create createTopics `cmd:"" help:"Create missing topics."`
	Check  checkTopics  `cmd:"" help:"Check that all topics exist with the required settings."`
	Skip   skipBatch    `cmd:"" help:"Skip one batch that cannot be read, to unblock its partition. Orders in it are not worked on."`
}

type createTopics struct {
	Partitions  int `default:"0" help:"Number of partitions of each topic. It cannot be changed later. 0: as many as the topics of the prefix have that exist, else ${partitions}."`
	Replication int `help:"Replication factor. Default: 3 if there are at least three brokers, else 1."`
}

// Run creates the topics and prints their names.
func (c *createTopics) Run(ctx context.Context, p *printer, t *topics) error {
	if c.Partitions < 0 || c.Replication < 0 {
		return config.Usage(errors.New("--partitions and --replication must not be negative"))
	}
	cl, err := connect(ctx, t.Kafka)
	if err != nil {
		return err
	}
	defer cl.Close()
	n, err := kafka.Partitions(ctx, cl, topic.Names(t.Prefix))
	if err != nil {
		return err
	}
	if n > 0 && c.Partitions > 0 && c.Partitions != n {
		return config.Hint(fmt.Errorf("the topics of prefix %s have %d partitions: their number is fixed", t.Prefix, n),
			`to have more, move to a new prefix: see "Add partitions" in docs/operations.md`)
	}
	made, err := kafka.Create(ctx, cl, topic.Names(t.Prefix), cmp.Or(c.Partitions, n, topic.Partitions), c.Replication)
	if err != nil {
		return err
	}
	text := "nothing to create: all topics exist"
	if len(made) > 0 {
		text = "created " + strings.Join(made, " ")
	}
	if made == nil {
		made = []string{}
	}
	return p.result(text, map[string]any{"created": made})
}

type checkTopics struct{}

// Run checks the topics; its error lists all faults.
func (*checkTopics) Run(ctx context.Context, p *printer, t *topics) error {
	cl, err := connect(ctx, t.Kafka)
	if err != nil {
		return err
	}
	defer cl.Close()
	layout, err := kafka.Check(ctx, cl, topic.Names(t.Prefix))
	if err != nil {
		return err
	}
	text := fmt.Sprintf("all topics of prefix %s have the required settings: %d partitions, invoice numbers INV-%s-…",
		t.Prefix, layout.Partitions, layout.Incarnation)
	return p.result(text, map[string]any{"prefix": t.Prefix, "partitions": layout.Partitions, "incarnation": layout.Incarnation})
}

// reaching is how to reach Kafka with the settings of a command.
func reaching(to config.Kafka) kafka.Config {
	return kafka.Config{Brokers: to.Brokers, Security: kafka.Security(to.Security)}
}

func connect(ctx context.Context, to config.Kafka, opts ...kgo.Opt) (*kgo.Client, error) {
	cl, err := reaching(to).Connect(ctx, opts...)
	if err != nil {
		return nil, config.Hint(err, "set the address of a broker with --brokers or ORDERS_BROKERS; brokers with TLS or a sign-in need the --kafka flags")
	}
	return cl, nil
}
