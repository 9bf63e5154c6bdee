package jobs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// runner runs one job. It is for one goroutine.
type runner struct {
	*owner
	id       string
	bucket   *rate.Limiter
	source   Reading         // nil before the first items
	written  []wire.JobBatch // that the view may not have applied yet, the oldest first
	prepared *prepared       // or nil
}

func newRunner(o *owner, id string) *runner {
	return &runner{owner: o, id: id, bucket: rate.NewLimiter(rate.Inf, 0)}
}

// run runs the job until it is final, or an error ends the ownership of the partition.
func (r *runner) run(ctx context.Context) error {
	changes, stop := r.cfg.View.WatchJobs()
	defer stop()
	defer r.close()
	for {
		t, err := r.look(ctx)
		if err != nil {
			return err
		}
		next := t.next()
		n, pause := r.take(t, next.send)
		switch {
		case next.ends:
			return nil
		case next.event != "":
			err = r.record(ctx, t, next)
		case n > 0:
			err = r.send(ctx, t, n)
		default:
			err = wait(ctx, changes, pause)
		}
		if err != nil {
			return err
		}
	}
}

// look returns the job as the view has it, and with what the runner has written since. No result of
// that is known.
func (r *runner) look(ctx context.Context) (*tally, error) {
	j, results, err := r.cfg.View.JobResults(ctx, r.id)
	if err != nil {
		return nil, err
	}
	r.written = slices.DeleteFunc(r.written, func(b wire.JobBatch) bool { return b.To <= j.Cursor })
	t := newTally(j, results)
	for _, b := range r.written {
		if !t.ahead(b) {
			return nil, fmt.Errorf("job %s is at item %d, and a batch from %d was written", r.id, t.Cursor, b.From)
		}
	}
	return t, nil
}

// bursts is how many transactions a second a job makes that has a rate, if that is more.
const bursts = 4

// take takes tokens for at most n items from the bucket, and returns for how many; or how long it
// takes until there are enough.
func (r *runner) take(t *tally, n int) (taken int, pause time.Duration) {
	if n == 0 || t.Limit == 0 {
		return n, 0
	}
	burst := max(1, int(t.Limit/bursts))
	if r.bucket.Limit() != rate.Limit(t.Limit) {
		r.bucket = rate.NewLimiter(rate.Limit(t.Limit), burst)
	}
	n = min(n, burst)
	now := time.Now()
	if r.bucket.AllowN(now, n) {
		return n, 0
	}
	missing := float64(n) - r.bucket.TokensAt(now)
	return 0, time.Duration(missing/t.Limit*float64(time.Second)) + time.Millisecond
}

// settle is how long a runner that waits for results waits for more of them: each look costs a query.
const settle = 20 * time.Millisecond

// wait returns after a change or, if that is not zero, a pause. Changes that follow a first one soon
// count as one.
func wait(ctx context.Context, changes <-chan struct{}, pause time.Duration) error {
	if pause == 0 {
		select {
		case <-changes:
			pause = settle
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// me is this instance as records name it.
func (j *Jobs) me() order.Cause {
	return order.Cause{Actor: order.Actor{Kind: order.ActorService, ID: j.cfg.Name}}
}

// record writes an event of the runner.
func (r *runner) record(ctx context.Context, t *tally, next action) error {
	e := newEvent(r.id, next.event, r.me())
	if s := next.halt; s != nil {
		e.Reason, e.Step = "too many items of a step failed again or are retrying", s.Number
		e.Bad, e.Of = s.bad(t.Cursor)
	}
	if all := next.causes; len(all) > 0 {
		e.Reason = fmt.Sprintf("%d failed again for a cause that they did not have before: %s %s, %s", all[0].Count, all[0].Step, all[0].Reason, all[0].Cause)
		if len(all) > 1 {
			e.Reason += fmt.Sprintf("; and for %d more", len(all)-1)
		}
		for _, f := range all {
			e.Causes = append(e.Causes, f.Cause)
		}
	}
	if err := r.commit(ctx, e.Record()); err != nil {
		return err
	}
	r.cfg.Log.Info("replay job", telemetry.Job, r.id, telemetry.Outcome, next.event, telemetry.Count, t.Cursor)
	return nil
}

// send sends the next items, at most n, and moves the cursor, in one transaction. It does not wait for the view, and
// makes the next items meanwhile.
func (r *runner) send(ctx context.Context, t *tally, n int) error {
	turn := r.turn(cmp.Or(t.Topic, r.id))
	if err := turn.take(ctx); err != nil {
		return err
	}
	defer turn.release()
	if err := r.begin(ctx, turn); err != nil {
		return err
	}
	items, err := r.make(ctx, t, n)
	if err != nil {
		return err
	}
	batches, records := r.batches(t, items)
	r.prepare(ctx, t, t.Cursor+len(items))
	if err = r.write(ctx, records); err != nil {
		return err
	}
	r.written = append(r.written, batches...)
	turn.end = records[len(records)-1].Offset + 1
	return nil
}

// begin waits until the view has what another job has sent of the same topic: none of it is sent again.
func (r *runner) begin(ctx context.Context, turn *turn) error {
	if turn.job == r.id {
		return nil
	}
	r.drop()
	if err := r.cfg.View.Desk(ctx, r.partition, turn.end); err != nil {
		return err
	}
	turn.job = r.id
	return nil
}

// make makes n items at the cursor, or fewer, unless they are prepared.
func (r *runner) make(ctx context.Context, t *tally, n int) ([]Item, error) {
	p := r.prepared
	if p == nil {
		return r.from(ctx, t.Job, t.Cursor, n)
	}
	<-p.done
	if p.err != nil || p.from != t.Cursor || time.Since(p.at) > maxPrepared {
		r.prepared = nil
		if p.err != nil {
			return nil, p.err
		}
		return r.from(ctx, t.Job, t.Cursor, n)
	}
	items := p.items[:min(n, len(p.items))]
	p.from, p.items = p.from+len(items), p.items[len(items):]
	if len(p.items) == 0 {
		r.prepared = nil
	}
	return items, nil
}

// from makes n items of a job from one on, or fewer.
func (r *runner) from(ctx context.Context, j view.Job, from, n int) ([]Item, error) {
	ids, err := r.cfg.View.JobItems(ctx, &j, from, from+n)
	if err == nil {
		err = r.open(&j)
	}
	if err != nil {
		return nil, err
	}
	return r.source.Make(ctx, &j, ids)
}

// prepared are items that are made while those before them are written.
type prepared struct {
	from  int
	at    time.Time
	done  chan struct{} // closed when the others are set
	items []Item
	err   error
}

// maxPrepared is how old items may be: a dead letter is looked at when it is sent.
const maxPrepared = 2 * time.Second

// prepare begins to make the items from one on, unless there are some, or a rate decides when they are
// sent.
func (r *runner) prepare(ctx context.Context, t *tally, from int) {
	n := min(t.Total-from, t.most())
	if n == 0 || t.Limit != 0 || r.prepared != nil {
		return
	}
	p, j := &prepared{from: from, at: time.Now(), done: make(chan struct{})}, t.Job
	r.prepared = p
	go func() { // make and drop wait for it
		defer close(p.done)
		p.items, p.err = r.from(ctx, j, from, n)
	}()
}

// drop ends what is prepared.
func (r *runner) drop() {
	if r.prepared != nil {
		<-r.prepared.done
		r.prepared = nil
	}
}

// open opens the source of the job, unless it is open.
func (r *runner) open(j *view.Job) (err error) {
	if r.source != nil {
		return nil
	}
	source := r.cfg.Own
	if j.Topic != "" {
		source = r.cfg.Foreign
	}
	r.source, err = source.Open(j)
	return err
}

func (r *runner) close() {
	r.drop()
	if r.source != nil {
		r.source.Close()
	}
}

// batches are the batches of items at the cursor, each of one step, and all records of the transaction, of
// which theirs are the last.
func (r *runner) batches(t *tally, items []Item) (all []wire.JobBatch, records []*kgo.Record) {
	head := wire.JobHead{ID: r.id, At: time.Now().UTC().Truncate(time.Millisecond), Cause: r.me()}
	for _, item := range items {
		records = append(records, item.Records...)
	}
	for from := t.Cursor; len(items) > 0; {
		s := t.step(from)
		n := min(s.To-from, len(items))
		b := wire.JobBatch{JobHead: head, From: from, To: from + n, Step: s.Number}
		fill(&b, items[:n])
		record := b.Record()
		record.Topic, record.Partition = r.cfg.Topics.Desk, r.partition
		all, records = append(all, b), append(records, record)
		items, from = items[n:], from+n
	}
	return all, records
}

// fill adds items to a batch.
func fill(b *wire.JobBatch, items []Item) {
	numbered := false
	for i, item := range items {
		b.Numbers = append(b.Numbers, item.Number)
		numbered = numbered || item.Number > 0
		if item.Skip != "" {
			if b.Skipped == nil {
				b.Skipped = map[int]wire.SkipReason{}
			}
			b.Skipped[b.From+i] = item.Skip
		}
	}
	if !numbered {
		b.Numbers = nil
	}
}
