// Package view is the read model: what orders, orders.status and orders.dlq add up to, in an SQLite file that the API answers from.
//
// The topics are the truth and the file is derived from them. Records are applied in batches, in one transaction with
// the positions they were read up to, so a restart resumes where it stopped and no record counts twice. A file that is
// missing, damaged, of another schema, or made from topics that have been made anew since, is thrown away and built
// again; there are no migrations. So is one that is deleted or damaged while Run goes on. One that cannot be written is waited for.
//
// The first record of an ID in orders is the order; later ones change nothing. A status replaces
// the whole state of its order, unless package status finds it void, and a tombstone there makes
// the view forget the order: it was erased on purpose. Of the dead letters of one ID the newest
// counts. A record that nobody can read is skipped, because its dead letter tells of it; one that a
// newer version wrote holds its partition where it is, until an API of that version reads on, and a
// batch that cannot be read blocks it until it is skipped (blocked.go): all others go on. Held says
// so to whoever would append something about an order that it cannot see.
//
// All methods but Run are safe for concurrent use, and answer while Kafka is away: Fresh says how old the answers are.
package view

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/status"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

// Config is what a view is built from and where it is kept.
type Config struct {
	Kafka       kafka.Config
	Topics      topic.Set
	Incarnation string // of the topic orders, as kafka.Check found it
	// Home is the partition in which a record of the topic orders belongs: in another one it is no order. With nil all count.
	Home  func(key []byte, headers []kgo.RecordHeader) int32
	Group string // of the workers, whose commits say what is still to be begun; or empty: they are not asked for
	Path  string // of the file; its folder must exist
	Log   *slog.Logger
}

// View is the read model. New makes one, Run keeps it up to date, Close ends it.
type View struct {
	cfg  Config
	file *file
	cl   *kgo.Client
	asks *kgo.Client // consumes nothing, and reads the records that the view only points at
	spin *kafka.Spin // of cl
	// records reads with asks.
	records kafka.Reader
	ids     map[string]kadm.TopicID

	// Owned by the goroutine of Run.
	folds map[int32]*status.Fold
	void  map[int32]int64

	// Owned by the goroutine of Run that measures.
	silent bool             // the group's commits could not be read the last time
	purged map[source]int64 // the log starts that the file has heard of

	mu       sync.Mutex
	next     map[source]int64      // the offset after the last one applied
	starts   map[source]int64      // where the logs started when measured
	ends     map[source]int64      // where the partitions ended when measured
	measured time.Time             // when that was
	fresh    time.Time             // the newest time at which nothing was missing; zero before the first
	group    map[int32]kadm.Offset // what the worker group had committed of orders, as of then
	oldest   Backlog               // the oldest order that is still to be begun, as of then
	voids    int64
	held     map[source]error     // why nothing more is applied: a record of a newer version, or a batch that cannot be read, comes next
	away     map[source]time.Time // since when the end of a partition is not known: its leader does not answer
	trouble  error                // why the file cannot be written at the moment
	lost     error                // why the file must be made again
	building bool                 // the file is made again, and has not everything yet
	wake     context.CancelFunc   // of the poll that goes on
	changed  chan struct{}        // closed and made anew when next or fresh changes
	watchers map[order.ID]map[chan struct{}]bool
}

// source is one partition that the view reads.
type source struct {
	topic     string
	partition int32
}

// Errors that callers tell apart.
var (
	ErrUnknown = errors.New("not in the view")
	ErrCursor  = errors.New("not a cursor that this API gave out")
	ErrBehind  = errors.New("the view has not kept up with Kafka")
	// ErrFile is ErrBehind, because the file cannot be used at the moment, or is built again from the topics.
	ErrFile = fmt.Errorf("%w: its file cannot be used, or is being built again", ErrBehind)
	ErrAway = errors.New("no answer from Kafka") // for what the view does not hold itself
	ErrGone = kafka.ErrGone                      // the same: Kafka does not have it any more, or has another record in its place
)

// errMadeAnew ends Run: producers of this process hold on to the ID of the old topic as well, so only a start helps.
var errMadeAnew = errors.New("a topic was deleted and created again while this ran: start again")

// New opens the file, or makes it, and prepares to read on from where it stands. The caller closes the view.
func New(ctx context.Context, cfg Config) (*View, error) {
	v, err := open(ctx, cfg)
	if damaged(err) {
		return open(ctx, cfg)
	}
	return v, err
}

// open is New, but when the file turns out to be damaged it has thrown it away and returns that error.
func open(ctx context.Context, cfg Config) (*View, error) {
	f, err := openFile(ctx, cfg.Path)
	if err != nil {
		return nil, err
	}
	v := &View{
		cfg: cfg, file: f,
		folds: map[int32]*status.Fold{}, void: map[int32]int64{}, next: map[source]int64{}, starts: map[source]int64{},
		held: map[source]error{}, away: map[source]time.Time{}, purged: map[source]int64{}, spin: kafka.NewSpin(),
		wake: func() {}, changed: make(chan struct{}), watchers: map[order.ID]map[chan struct{}]bool{},
	}
	if err := v.prepare(ctx); err != nil {
		return nil, errors.Join(err, v.discard(err), f.close())
	}
	return v, nil
}

// discard throws the file away if an error says that it is damaged: the next start builds it again.
func (v *View) discard(err error) error {
	if !damaged(err) {
		return nil
	}
	v.cfg.Log.Warn("throwing the view away: its file is damaged", telemetry.Error, err)
	return v.file.remove()
}

// prepare finds out where to read on, and throws away what belongs to other topics than those of today.
func (v *View) prepare(ctx context.Context) error {
	cl, err := v.cfg.Kafka.Connect(ctx, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		// They hold nothing, but a partition may end with one, and the view must see that it has read that far.
		kgo.KeepControlRecords(), kgo.WithHooks(v.spin))
	if err != nil {
		return err
	}
	if v.asks, err = v.cfg.Kafka.Connect(ctx); err != nil {
		cl.Close()
		return err
	}
	v.cl, v.records = cl, kafka.NewReader(v.asks, v.cfg.Topics.DLQ)
	ids, starts, ends, err := v.topics(ctx)
	var epochs map[source]int32
	if err == nil {
		v.ids = ids
		epochs, err = v.resume(ctx, ends)
	}
	if err == nil {
		maps.Copy(v.starts, starts)
		err = v.purge(ctx, starts)
	}
	if err != nil {
		v.asks.Close()
		cl.Close()
		return err
	}
	from := map[string]map[int32]kgo.Offset{}
	for s := range ends {
		if from[s.topic] == nil {
			from[s.topic] = map[int32]kgo.Offset{}
		}
		// With the epoch the client hears of it when a leader has forgotten what was read.
		from[s.topic][s.partition] = kgo.NewOffset().At(v.next[s]).WithEpoch(epochs[s])
	}
	cl.AddConsumePartitions(from)
	return nil
}

// resume loads the positions and returns their epochs, or empties the file when it does not fit the topics.
func (v *View) resume(ctx context.Context, ends map[source]kafka.Offset) (map[source]int32, error) {
	kept, err := v.file.positions(ctx, v.ids)
	if err != nil {
		return nil, err
	}
	if kept == nil || !v.continues(ctx, kept, ends) {
		kept = nil
		if err := v.file.make(ctx, v.ids); err != nil {
			return nil, err
		}
	} else if err := v.file.notice(); err != nil {
		return nil, err
	}
	epochs := map[source]int32{}
	for s := range ends {
		p, ok := kept[s]
		if !ok {
			p.claim, p.epoch = -1, -1
		}
		v.next[s], epochs[s] = p.next, p.epoch
		if s.topic == v.cfg.Topics.Status {
			fold := status.At(p.claim)
			v.folds[s.partition], v.void[s.partition] = &fold, p.void
			v.voids += p.void
		}
	}
	return epochs, nil
}

// continues reports whether the logs still hold what was read of them. Where a leader does not answer, the client asks it again.
func (v *View) continues(ctx context.Context, kept map[source]position, ends map[source]kafka.Offset) bool {
	at := map[source]kgo.EpochOffset{}
	for s, p := range kept {
		// A topic that ends before what was read of it has lost records, and holds others at those offsets soon.
		end, ok := ends[s]
		if !ok || end.Err == nil && p.next > end.At {
			v.cfg.Log.Warn("rebuilding the view: a topic is shorter than it was", telemetry.Topic, s.topic, telemetry.Partition, s.partition)
			return false
		}
		at[s] = kgo.EpochOffset{Epoch: p.epoch, Offset: p.next}
	}
	cut, _ := v.cut(ctx, at)
	return !cut
}

// Run keeps the view up to date until ctx is done; then it returns nil. It is called once.
func (v *View) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return v.tail(ctx) })
	g.Go(func() error { return v.measure(ctx) })
	g.Go(func() error { return v.tend(ctx) })
	return g.Wait()
}

// Close ends the view. Run must have returned.
func (v *View) Close() error {
	v.asks.Close()
	v.cl.Close()
	return v.file.close()
}
