package jobs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
)

// owner runs the jobs of a partition that this instance owns.
type owner struct {
	*Jobs
	partition int32

	cl *kgo.Client // of the transactional ID of the partition; nil before the takeover

	mu    sync.Mutex
	turns map[string]*turn // of this ownership, by dead-letter topic of another program or by job
}

// turn is held by the job that sends dead letters of a topic. All jobs of a topic are in one partition,
// so they have one owner.
type turn struct {
	lock chan struct{} // has room for one that holds the turn
	job  string        // that sent last; or empty
	end  int64         // where the records of that end in the partition
}

// take waits for the turn until ctx ends.
func (t *turn) take(ctx context.Context) error {
	select {
	case t.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *turn) release() { <-t.lock }

// turn returns the turn of a topic, or of a job of our own dead letters, which needs no other: workers
// know each replay by its number. That of "" is held by a transaction.
func (o *owner) turn(of string) *turn {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.turns[of] == nil {
		o.turns[of] = &turn{lock: make(chan struct{}, 1)}
	}
	return o.turns[of]
}

// transactionTimeout is how long the transaction of an owner that was killed hides what was appended
// after it, if no other owner takes over. A new owner ends it at once.
const transactionTimeout = 10 * time.Second

// run owns the partition until ctx ends. After an error nothing is certain, so it takes the partition
// over again. It logs no outage of the view's store: the view does, once for all partitions.
func (o *owner) run(ctx context.Context) {
	for backoff := (kafka.Backoff{}); ctx.Err() == nil; {
		err := o.awaitJob(ctx)
		if err == nil {
			err = o.own(ctx)
		}
		if err != nil && ctx.Err() == nil {
			backoff.Pause(ctx, fmt.Errorf("partition %d of the desk: %w", o.partition, err), func(err error) {
				if !errors.Is(err, view.ErrStore) {
					o.warn("replay jobs are interrupted: they continue where the last transaction ended", err)
				}
			})
		}
	}
}

// awaitJob returns when the partition has a job that is not finished.
func (o *owner) awaitJob(ctx context.Context) error {
	changes, stop := o.cfg.View.WatchJobs()
	defer stop()
	for {
		jobs, err := o.unfinished(ctx)
		if len(jobs) > 0 || err != nil {
			return err
		}
		select {
		case <-changes:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (o *owner) unfinished(ctx context.Context) ([]view.Job, error) {
	jobs, _, err := o.cfg.View.Jobs(ctx, view.JobFilter{Unfinished: true, Partition: &o.partition, Limit: maxJobs})
	return jobs, err
}

// maxJobs is how many jobs of a partition run at a time. Of more, the newest run first.
const maxJobs = 100

// own takes the partition over, and runs its jobs until none is left.
func (o *owner) own(ctx context.Context) (err error) {
	// A record goes to the partition that it names.
	o.cl, err = o.cfg.Kafka.Connect(ctx, kgo.TransactionalID(kafka.DeskTransactions(o.cfg.Topics)+strconv.Itoa(int(o.partition))),
		kgo.TransactionTimeout(transactionTimeout), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		// The client counts it from the timestamp of a record, and those of other programs are old. The
		// context of a transaction limits it.
		kgo.RecordDeliveryTimeout(0))
	if err != nil {
		return err
	}
	defer o.cl.Close()
	o.turns = map[string]*turn{}
	if err := o.takeOver(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	running := runners{ended: make(chan string), ids: map[string]bool{}}
	changes, stop := o.cfg.View.WatchJobs()
	defer stop()
	g.Go(func() error {
		for {
			jobs, err := o.unfinished(ctx)
			if err != nil || len(jobs) == 0 && len(running.ids) == 0 {
				return err
			}
			for _, j := range jobs {
				running.start(ctx, g, o, j.ID)
			}
			select {
			case <-changes:
			case id := <-running.ended:
				delete(running.ids, id)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return g.Wait()
}

// runners are the jobs that run. They are for one goroutine, but for ended.
type runners struct {
	ended chan string // receives the IDs of jobs that are final
	ids   map[string]bool
}

// start runs a job, unless it runs already.
func (r *runners) start(ctx context.Context, g *errgroup.Group, o *owner, id string) {
	if r.ids[id] {
		return
	}
	r.ids[id] = true
	g.Go(func() error {
		if err := newRunner(o, id).run(ctx); err != nil {
			return err
		}
		select {
		case r.ended <- id:
		case <-ctx.Done():
		}
		return nil
	})
}

// takeOver fences the former owner, and returns when the view has all that it has written.
func (o *owner) takeOver(ctx context.Context) error {
	if _, _, err := o.cl.ProducerID(ctx); err != nil {
		return fmt.Errorf("fencing the former owner: %w", err)
	}
	p := kafka.Partition{Topic: o.cfg.Topics.Desk, Number: o.partition}
	end := kafka.HighWatermarks(ctx, o.cl, p)[p]
	if end.Err != nil {
		return end.Err
	}
	return o.cfg.View.Desk(ctx, o.partition, end.At)
}

// commitTimeout is how long a transaction may take, also when the owner is to end.
const commitTimeout = 2 * kafka.DeliveryTimeout

// commit is write, and returns when the view has the last record.
func (o *owner) commit(ctx context.Context, records ...*kgo.Record) error {
	if err := o.write(ctx, records); err != nil {
		return err
	}
	return o.cfg.View.Desk(ctx, o.partition, records[len(records)-1].Offset+1)
}

// write writes records in one transaction, the last of them to the partition of the owner.
func (o *owner) write(ctx context.Context, records []*kgo.Record) error {
	last := records[len(records)-1]
	last.Topic, last.Partition = o.cfg.Topics.Desk, o.partition
	if err := o.transact(context.WithoutCancel(ctx), records); err != nil {
		return fmt.Errorf("writing a transaction: %w", err)
	}
	return nil
}

func (o *owner) transact(ctx context.Context, records []*kgo.Record) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	transaction := o.turn("")
	if err := transaction.take(ctx); err != nil {
		return err
	}
	defer transaction.release()
	if err := o.cl.BeginTransaction(); err != nil {
		return err
	}
	if err := o.cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return err
	}
	return o.cl.EndTransaction(ctx, kgo.TryCommit)
}
