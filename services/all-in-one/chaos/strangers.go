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

// What others do to the application: another group on its topics, a producer that writes what cannot be read, a clock that is wrong.

// joinForeignGroup runs a worker of another group on the same topics, as somebody does who mistypes --group. It may refuse to start;
// else it leaves after a while. Then one claim lands in each partition behind those of the living owners, as that of a former owner
// does which was stopped before it claimed.
func (s *stage) joinForeignGroup(ctx context.Context, f fault) error {
	p := s.process("foreign-worker", "", append(s.workers[0].args, "--group", "typo")...)
	p.env = s.workers[0].env
	if err := p.once(ctx, f.lasts); err != nil {
		return err
	}
	return s.produce(ctx, func(names topic.Set, partition int32) *kgo.Record {
		r := wire.Claim{Worker: "foreign-worker", At: time.Now()}.Record()
		r.Topic, r.Partition = names.Status, partition
		return r
	})
}

// once runs the program until it ends by itself or d has passed. Then it is told to end.
func (p *process) once(ctx context.Context, d time.Duration) error {
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
	cmd.WaitDelay = patience
	_ = cmd.Run() // how it ends is not what is tried here
	return nil
}

// unpacked is more than any reader unpacks a batch to. Compressed, it has some kilobytes.
const unpacked = 70 << 20

// appendUnreadable appends a batch to one partition of orders that no reader can unpack, which blocks that partition. After a while an
// operator skips it.
func (s *stage) appendUnreadable(ctx context.Context, f fault) error {
	names := topic.Names(s.Prefix)
	cl, err := s.direct().Connect(ctx, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.ProducerBatchMaxBytes(2*unpacked), kgo.BrokerMaxWriteBytes(4*unpacked), kgo.MaxBufferedBytes(4*unpacked))
	if err != nil {
		return err
	}
	defer cl.Close()
	r := &kgo.Record{Topic: names.Orders, Partition: int32(f.target - 1), Value: make([]byte, unpacked)}
	if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("appending a batch that cannot be unpacked: %w", err)
	}
	hold(ctx, f.lasts)
	return s.ordersctl(ctx, "topics", "skip", names.Orders, fmt.Sprint(r.Partition), fmt.Sprint(r.Offset),
		"--out", filepath.Join(s.dir, fmt.Sprintf("batch-%d-%d", r.Partition, r.Offset)))
}

// ordersctl runs a command as an operator does, and returns what it says as an error when it fails.
func (s *stage) ordersctl(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := command(ctx, append([]string{filepath.Join(s.Bin, "ordersctl")}, args...), []string{"ORDERS_BROKERS=" + s.address(0)})
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("ordersctl %v: %w\n%s", args, err, out)
	}
	return nil
}

// clockStep is how far the brokers' clock is set forth and back: past every delay between two attempts.
const clockStep = time.Hour

// stepClock sets the clock of all brokers forth, then back behind the true time, then right.
func (s *stage) stepClock(ctx context.Context, f fault) error {
	for _, ahead := range []time.Duration{clockStep, -clockStep} {
		if err := s.setClock(ahead); err != nil {
			return err
		}
		hold(ctx, f.lasts/2)
	}
	return s.setClock(0)
}

// setClock has the brokers' clock be ahead of the machine's. They look once a second.
func (s *stage) setClock(ahead time.Duration) error {
	part := s.clock + ".part"
	err := os.WriteFile(part, fmt.Append(nil, ahead.Milliseconds()), 0o600)
	return errors.Join(err, os.Rename(part, s.clock)) // never half a number
}

// produce appends one record to each partition.
func (s *stage) produce(ctx context.Context, record func(names topic.Set, partition int32) *kgo.Record) error {
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
