package ctl

import (
	"context"
	"fmt"
	"io"
	"strings"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/config"
	"example.com/orders/shared/topic"
)

// auditOrders is the command that checks that every order is accounted for.
type auditOrders struct {
	config.Kafka
	Group string `env:"ORDERS_GROUP" default:"order-workers" help:"Consumer group of the workers."`
}

// Run audits the topics and returns an error if there are faults, so that scripts notice.
func (c *auditOrders) Run(ctx context.Context, p *printer) error {
	if err := reach(ctx, c.Kafka); err != nil {
		return err
	}
	report, err := audit.Run(ctx, reaching(c.Kafka), topic.Names(c.Prefix), c.Group)
	if err != nil {
		return err
	}
	if err := p.report(report.Write, report); err != nil {
		return err
	}
	var found []string
	for _, f := range report.Faults {
		found = append(found, fmt.Sprint(f.Count, " ", f.Kind))
	}
	if len(report.Unread) > 0 {
		found = append(found, fmt.Sprint(len(report.Unread), " partitions not audited"))
	}
	if len(found) > 0 {
		return fmt.Errorf("faults found: %s", strings.Join(found, ", "))
	}
	return nil
}

// explainGaps is the command that explains invoice numbers without an invoice.
type explainGaps struct{ config.Kafka }

// Run lists the gaps of each partition.
func (c *explainGaps) Run(ctx context.Context, p *printer) error {
	if err := reach(ctx, c.Kafka); err != nil {
		return err
	}
	numbers, err := audit.Gaps(ctx, reaching(c.Kafka), topic.Names(c.Prefix))
	if err != nil {
		return err
	}
	return p.report(numbers.Write, numbers)
}

// reach fails early, with a hint, if no broker can be reached.
func reach(ctx context.Context, at config.Kafka) error {
	cl, err := connect(ctx, at)
	if err == nil {
		cl.Close()
	}
	return err
}

// report prints the text of write, or with --json v.
func (p *printer) report(write func(io.Writer) error, v any) error {
	var text strings.Builder
	if err := write(&text); err != nil {
		return err
	}
	return p.result(strings.TrimSuffix(text.String(), "\n"), v)
}
