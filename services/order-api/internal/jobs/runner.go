package jobs

import (
	"context"
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
	source   Reading   // nil before the first items
	sent     int       // of foreign dead letters: items below it were sent; the view may not know that yet
	prepared *prepared // or nil
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

func (r *runner) look(ctx context.Context) (*tally, error) {
	j, results, err := r.cfg.View.JobResults(ctx, r.id)
	j.Cursor = max(j.Cursor, r.sent)
	return newTally(j, results), err
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
const settle = 50 * time.Millisecond

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
	if err := r.commit(ctx, e.Record()); err != nil {
		return err
	}
	r.cfg.Log.Info("replay job", telemetry.Job, r.id, telemetry.Outcome, next.event, telemetry.Count, t.Cursor)
	return nil
}

// send sends the next n items, and moves the cursor, in one transaction.
func (r *runner) send(ctx context.Context, t *tally, n int) error {
	items, err := r.make(ctx, t, n)
	if err != nil {
		return err
	}
	head := wire.JobHead{ID: r.id, At: time.Now().UTC().Truncate(time.Millisecond), Cause: r.me()}
	b := wire.JobBatch{JobHead: head, From: t.Cursor, To: t.Cursor + n, Step: t.step(t.Cursor).Number}
	records := fill(&b, items)
	if t.Topic == "" {
		return r.commit(ctx, records...)
	}
	// Nothing depends on results, so it need not wait for the view, and makes the next items meanwhile.
	r.prepare(ctx, t, b.To)
	err = r.write(ctx, records)
	if err == nil {
		r.sent = b.To
	}
	return err
}

// make makes n items at the cursor, unless they are prepared.
func (r *runner) make(ctx context.Context, t *tally, n int) ([]Item, error) {
	if p := r.prepared; p != nil {
		r.prepared = nil
		<-p.done
		if p.from == t.Cursor && p.n == n {
			return p.items, p.err
		}
	}
	return r.from(ctx, t.Job, t.Cursor, n)
}

// from makes n items of a job from one on.
func (r *runner) from(ctx context.Context, j view.Job, from, n int) ([]Item, error) {
	ids, err := r.cfg.View.JobItems(ctx, r.id, from, from+n)
	if err == nil {
		err = r.open(&j)
	}
	if err != nil {
		return nil, err
	}
	return r.source.Make(ctx, &j, ids)
}

// prepared are items of foreign dead letters that are made while those before them are written.
type prepared struct {
	from, n int
	done    chan struct{} // closed when the others are set
	items   []Item
	err     error
}

// prepare begins to make the items from one on.
func (r *runner) prepare(ctx context.Context, t *tally, from int) {
	n := min(t.Total-from, maxForeign)
	if n == 0 || t.Limit != 0 {
		return
	}
	p, j := &prepared{from: from, n: n, done: make(chan struct{})}, t.Job
	r.prepared = p
	go func() { // make and close wait for it
		defer close(p.done)
		p.items, p.err = r.from(ctx, j, from, n)
	}()
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
	if r.prepared != nil {
		<-r.prepared.done
	}
	if r.source != nil {
		r.source.Close()
	}
}

// fill adds items to a batch, and returns all records of its transaction. The batch is the last one.
func fill(b *wire.JobBatch, items []Item) (records []*kgo.Record) {
	numbered := false
	for i, item := range items {
		b.Numbers = append(b.Numbers, item.Number)
		numbered = numbered || item.Number > 0
		records = append(records, item.Records...)
		if item.Skip != "" {
			if b.Skipped == nil {
				b.Skipped = map[int]wire.SkipReason{}
			}
			b.Skipped[b.From+i] = item.Skip
		} else if item.Cause != "" && !slices.Contains(b.Causes, item.Cause) {
			b.Causes = append(b.Causes, item.Cause)
		}
	}
	if !numbered {
		b.Numbers = nil
	}
	return append(records, b.Record())
}
