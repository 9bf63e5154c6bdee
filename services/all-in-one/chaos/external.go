package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// joinForeignGroup runs a worker of another group on the same topics, as after a mistyped --group.
// The worker may refuse to start, else it is stopped after a while. Then it appends one claim to
// each partition after those of the current owners, as a former owner does that was stopped before
// its claim was written.
func (s *system) joinForeignGroup(ctx context.Context, f fault) error {
	p := s.process("foreign-worker", "", append(s.workers[0].args, "--group", "typo")...)
	p.env = s.workers[0].env
	if err := p.runFor(ctx, f.duration); err != nil {
		return err
	}
	return s.produce(ctx, func(names topic.Set, partition int32) *kgo.Record {
		r := wire.Claim{Worker: "foreign-worker", At: time.Now()}.Record()
		r.Topic, r.Partition = names.Status, partition
		return r
	})
}

// runFor runs the program until it exits, at most for d. Then it is stopped.
func (p *process) runFor(ctx context.Context, d time.Duration) error {
	file, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	cmd := command(ctx, p.args, p.env)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = processTimeout
	_ = cmd.Run() // the exit status does not matter
	return nil
}

// unpacked is larger than the limit of all readers for an uncompressed batch. Compressed, it has
// some kilobytes.
const unpacked = 70 << 20

// appendUnreadable appends an unreadable batch to one partition of orders: it is too large when it
// is uncompressed. That blocks the partition, until the batch is skipped as an operator would skip
// it.
func (s *system) appendUnreadable(ctx context.Context, f fault) error {
	names := topic.Names(s.Prefix)
	cl, err := s.direct().Connect(ctx, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.ProducerBatchMaxBytes(2*unpacked), kgo.BrokerMaxWriteBytes(4*unpacked), kgo.MaxBufferedBytes(4*unpacked))
	if err != nil {
		return err
	}
	defer cl.Close()
	r := &kgo.Record{Topic: names.Orders, Partition: int32(f.target - 1), Value: make([]byte, unpacked)}
	if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("appending an unreadable batch: %w", err)
	}
	wait(ctx, f.duration)
	return s.ordersctl(ctx, "topics", "skip", names.Orders, fmt.Sprint(r.Partition), fmt.Sprint(r.Offset),
		"--out", filepath.Join(s.dir, fmt.Sprintf("batch-%d-%d", r.Partition, r.Offset)))
}

// ordersctl runs a command of ordersctl. An error contains its output.
func (s *system) ordersctl(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, processTimeout)
	defer cancel()
	cmd := command(ctx, append([]string{filepath.Join(s.Bin, "ordersctl")}, args...), []string{"ORDERS_BROKERS=" + s.address(0)})
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("ordersctl %v: %w\n%s", args, err, out)
	}
	return nil
}

// clockStep is how far the clocks of the brokers are set forward and back: more than any delay
// between two attempts.
const clockStep = time.Hour

// stepClock sets the clocks of all brokers forward, then behind the real time, then to the real
// time.
func (s *system) stepClock(ctx context.Context, f fault) error {
	for _, ahead := range []time.Duration{clockStep, -clockStep} {
		if err := s.setClock(ahead); err != nil {
			return err
		}
		wait(ctx, f.duration/2)
	}
	return s.setClock(0)
}

// setClock sets how far the clocks of the brokers are ahead. They read the file once a second.
func (s *system) setClock(ahead time.Duration) error {
	part := s.clock + ".part"
	err := os.WriteFile(part, fmt.Append(nil, ahead.Milliseconds()), 0o600)
	return errors.Join(err, os.Rename(part, s.clock)) // atomic: a broker never reads half a number
}

// produce appends one record to each partition.
func (s *system) produce(ctx context.Context, record func(names topic.Set, partition int32) *kgo.Record) error {
	cl, err := s.direct().Connect(ctx, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	var all []*kgo.Record
	for partition := range int32(topic.Partitions) {
		all = append(all, record(topic.Names(s.Prefix), partition))
	}
	return cl.ProduceSync(ctx, all...).FirstErr()
}
