package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
)

// topics are the commands that talk to Kafka itself: the services never create a topic silently.
type topics struct {
	config.Kafka
	Create createTopics `cmd:"" help:"Create the topics that are missing."`
	Check  checkTopics  `cmd:"" help:"Compare every topic and setting with what they must be."`
	Skip   skipBatch    `cmd:"" help:"Have every reader pass over one batch that cannot be read."`
}

type createTopics struct {
	Partitions  int `default:"${partitions}" help:"Partitions of each topic, fixed for the life of the prefix."`
	Replication int `help:"Copies of each record; 3 where there are three brokers, else 1."`
}

// Run creates the topics and says which.
func (c *createTopics) Run(ctx context.Context, p *printer, t *topics) error {
	if c.Partitions < 1 || c.Replication < 0 {
		return config.Usage(errors.New("--partitions must be at least 1 and --replication not negative"))
	}
	cl, err := connect(ctx, t.Kafka)
	if err != nil {
		return err
	}
	defer cl.Close()
	made, err := kafka.Create(ctx, cl, topic.Names(t.Prefix), c.Partitions, c.Replication)
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

// Run says that the topics are as they must be, or what is wrong with them.
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
	text := fmt.Sprintf("topics of prefix %s are as they must be: %d partitions, invoice numbers INV-%s-…", t.Prefix, layout.Partitions, layout.Incarnation)
	return p.result(text, map[string]any{"prefix": t.Prefix, "partitions": layout.Partitions, "incarnation": layout.Incarnation})
}

func connect(ctx context.Context, to config.Kafka, opts ...kgo.Opt) (*kgo.Client, error) {
	cl, err := kafka.Config{Brokers: to.Brokers}.Connect(ctx, opts...)
	if err != nil {
		return nil, config.Hint(err, "give the address of a broker with --brokers or ORDERS_BROKERS")
	}
	return cl, nil
}
