package ctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// skipBatch is the command that unblocks a partition by skipping a batch that cannot be read.
type skipBatch struct {
	Topic     string `arg:"" help:"Topic, as in the error."`
	Partition int32  `arg:"" help:"Partition number."`
	Offset    int64  `arg:"" help:"Any offset in the batch."`
	Out       string `type:"path" placeholder:"FILE" help:"New file that receives the bytes of the batch. Default: TOPIC-PARTITION-OFFSET.batch."`
}

// Run saves the bytes of the batch in a file and writes a skip record to Kafka; workers, APIs and
// audits then continue after the batch. It refuses to skip records that can be read.
func (c *skipBatch) Run(ctx context.Context, p *printer, t *topics) error {
	set := topic.Names(t.Prefix)
	if !slices.ContainsFunc(set.Specs(), func(s topic.Spec) bool { return s.Name == c.Topic }) {
		return config.Usage(fmt.Errorf("topic %q does not belong to the prefix %q", c.Topic, t.Prefix))
	}
	cl, err := connect(ctx, t.Kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	layout, err := kafka.Check(ctx, cl, set, kafka.SkipGrants(set)...)
	if err != nil {
		return err
	}
	if c.Partition < 0 || int(c.Partition) >= layout.Partitions {
		return config.Usage(fmt.Errorf("partition %d: %s has partitions 0 to %d", c.Partition, c.Topic, layout.Partitions-1))
	}
	bad, next, err := c.probe(ctx, kafka.NewReader(cl, set.DLQ))
	switch {
	case err != nil:
		return err
	case bad == nil:
		text := fmt.Sprintf("the batch at offset %d of %s/%d has been skipped before", c.Offset, c.Topic, c.Partition)
		return p.result(text, c.json(c.Offset, next, ""))
	}
	if c.Out == "" {
		c.Out = fmt.Sprintf("%s-%d-%d.batch", c.Topic, c.Partition, bad.From)
	}
	if err := keep(c.Out, bad.Batch); err != nil {
		return fmt.Errorf("saving the bytes of the batch: %w", err)
	}
	for _, r := range skipRecords(set, layout, bad) {
		if _, err := kafka.Append(ctx, cl, r.Topic, r.Partition, r); err != nil {
			return fmt.Errorf("skipping the batch: %w", err)
		}
	}
	return p.result(fmt.Sprintf("skipped offsets %d to %d of %s/%d; the bytes are in %s", bad.From, bad.To-1, c.Topic, c.Partition, c.Out),
		c.json(bad.From, bad.To, c.Out))
}

// probe returns the batch at the offset if it cannot be read. If the batch has been skipped before,
// it returns nil and the offset after it. It fails if the batch can be read.
func (c *skipBatch) probe(ctx context.Context, r kafka.Reader) (bad *kafka.UnreadableError, next int64, err error) {
	next, err = r.Probe(ctx, c.Topic, c.Partition, c.Offset)
	bad, unreadable := errors.AsType[*kafka.UnreadableError](err)
	switch {
	case kafka.Classify(err) == kafka.Absent:
		return nil, 0, fmt.Errorf("%s/%d has no record at offset %d", c.Topic, c.Partition, c.Offset)
	case unreadable:
		return bad, 0, nil
	case err == nil && next <= c.Offset:
		return nil, 0, fmt.Errorf("the records at offset %d of %s/%d can be read: nothing was skipped",
			c.Offset, c.Topic, c.Partition)
	}
	return nil, next, err
}

// json is the result for --json.
func (c *skipBatch) json(from, to int64, file string) map[string]any {
	return map[string]any{"topic": c.Topic, "partition": c.Partition, "from": from, "to": to, "file": file}
}

// skipRecords are the records to write: a void record for the offsets of orders, and the skip
// record.
func skipRecords(set topic.Set, layout kafka.Layout, bad *kafka.UnreadableError) (records []*kgo.Record) {
	if bad.Topic == set.Orders {
		first := order.Origin{Incarnation: layout.Incarnation, Partition: bad.Partition, Offset: bad.From}
		void := wire.VoidNumber{Origin: first, To: bad.To, Reason: "unreadable", At: time.Now()}.Record()
		void.Topic, void.Partition = set.Invoices, bad.Partition
		records = append(records, void)
	}
	skip := bad.Skip(time.Now())
	skip.Topic = set.DLQ
	return append(records, skip)
}

// keep writes a new file. It fails if the file exists.
func keep(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}
