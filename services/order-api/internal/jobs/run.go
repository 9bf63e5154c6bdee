package jobs

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// How soon the partitions of an instance that was killed or stopped have another owner.
const (
	session   = 8 * time.Second
	heartbeat = 2 * time.Second
)

// Run runs the jobs of the partitions that this instance owns until ctx is done, and returns nil
// then. What is in a transaction then is finished. It is called once.
func (j *Jobs) Run(ctx context.Context) error {
	m := &member{jobs: j, ctx: ctx, owned: map[int32]func(){}}
	var cl *kgo.Client
	err := kafka.Insist(ctx, func() (err error) {
		cl, err = m.join(ctx)
		return err
	}, func(err error) { j.warn("replay jobs wait for Kafka", err) })
	if err != nil {
		return stopped(ctx, err)
	}
	for backoff := (kafka.Backoff{}); ctx.Err() == nil; {
		if err := cl.PollFetches(ctx).Err(); err != nil && ctx.Err() == nil {
			backoff.Pause(ctx, err, func(err error) { j.warn("replay jobs: the group of their owners", err) })
		}
	}
	m.release(m.all())
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), kafka.DeliveryTimeout)
	defer cancel()
	_ = cl.LeaveGroupContext(leaving) // else the session ends by itself
	cl.Close()
	return nil
}

// stopped is nil if ctx is done, else the error.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (j *Jobs) warn(text string, err error) { j.cfg.Log.Warn(text, telemetry.Error, err) }

// member is this instance in the group of owners.
type member struct {
	jobs *Jobs
	ctx  context.Context //nolint:containedctx // of Run: the callbacks of the group begin what ends with it

	mu    sync.Mutex
	owned map[int32]func() // ends the owner of a partition, and waits for that
}

// join begins to be a member.
func (m *member) join(ctx context.Context) (*kgo.Client, error) {
	topic := m.jobs.cfg.Topics.Desk
	return m.jobs.cfg.Kafka.Connect(ctx,
		kgo.ConsumerGroup(kafka.DeskGroup(m.jobs.cfg.Topics)), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.SessionTimeout(session), kgo.HeartbeatInterval(heartbeat),
		// The group only says who owns what: nothing is fetched.
		kgo.AdjustFetchOffsetsFn(func(context.Context, map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			return nil, nil
		}),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { m.assign(p[topic]) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { m.release(p[topic]) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { m.release(p[topic]) }),
	)
}

// assign begins to own partitions.
func (m *member) assign(partitions []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range partitions {
		if m.ctx.Err() != nil || m.owned[p] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(m.ctx)
		var running sync.WaitGroup
		running.Go(func() { (&owner{Jobs: m.jobs, partition: p}).run(ctx) })
		m.owned[p] = func() {
			cancel()
			running.Wait()
		}
	}
}

// release ends to own partitions. When it returns, nothing more is sent for them.
func (m *member) release(partitions []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range partitions {
		if end := m.owned[p]; end != nil {
			end()
			delete(m.owned, p)
		}
	}
}

func (m *member) all() (partitions []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.owned {
		partitions = append(partitions, p)
	}
	return partitions
}
