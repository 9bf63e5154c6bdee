// Package view is the read model: it projects orders, orders.status, orders.dlq and orders.desk into
// tables that the API answers from.
//
// The topics are the truth and the tables are derived from them. Consumption is at-least-once, and
// each batch of changes is stored in one transaction with the positions that it was read up to, so
// a restart resumes there and no record counts twice. A Store that is damaged, of another schema,
// or filled from topics that were deleted since, is reset and filled again; there are no
// migrations. A store that cannot be used at the moment is waited for, at the start and later.
//
// The first record of an ID in orders is the order; later ones change nothing. A status record
// replaces the whole state of its order, unless package status finds it stale, and a tombstone removes
// the order. Of several states in one batch the newest alone is read and stored. A view that is far
// behind reads orders.status first, and of orders then only the records whose orders it does not know.
// Of the dead letters of one ID the newest counts. A record that cannot be decoded is skipped: the worker writes a dead
// letter for it. A record of a newer schema version blocks its partition until an API of that version
// reads on, and a batch that cannot be read blocks it until it is skipped; the other partitions
// continue. CheckPartition reports such a partition to callers that append something about an order
// that may be known already.
//
// Under load records gather for 100 ms before they are applied, unless a request needs one of them.
//
// All methods but Run are safe for concurrent use, and answer while Kafka is away: Fresh says how
// old the answers may be.
package view

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
)

// Config is what a view is built from and where it is kept.
type Config struct {
	Kafka       kafka.Config
	Topics      topic.Set
	Foreign     []string // dead-letter topics of other programs, which exist
	Incarnation string   // of the topic orders, as kafka.Check found it
	// Home is the partition where a record of the topic orders belongs; in another one it is
	// skipped. With nil all count.
	Home  func(key []byte, headers []kgo.RecordHeader) int32
	Group string // of the workers, whose commits tell which orders are begun; or empty: they are not asked for
	Store Store  // the view closes it
	Log   *slog.Logger
}

// View is the read model. New makes one, Run keeps it up to date, Close ends it.
type View struct {
	// Immutable after New.
	cfg     Config
	cl      *kgo.Client // consumes
	direct  *kgo.Client // does not consume
	spin    *kafka.Spin // of cl
	records kafka.Reader
	ids     map[string]kadm.TopicID
	foreign map[string]kadm.TopicID // of cfg.Foreign

	projection *projection // owned by the goroutine of tail
	ahead      ahead       // owned by the goroutine of tail
	loop       measuring   // owned by the goroutine of measure

	// Guarded by mu.
	mu         sync.Mutex
	partitions []kafka.Partition         // of all topics
	told       map[string]*kafka.Backoff // of cfg.Foreign
	left       map[string]bool           // those that are left alone

	// Safe for concurrent use.
	life      *lifecycle
	states    statesFirst
	freshness *freshness
	catchUp   catchUp
	watchers  watchers
	backlog   backlog
	gather    gather // poll is for the goroutine of ahead
}

// New connects to Kafka and opens the store. If that cannot be used at the moment, Run waits for it.
// The caller closes the view; after an error the store is closed.
func New(ctx context.Context, cfg Config) (*View, error) {
	v := &View{
		cfg: cfg, spin: kafka.NewSpin(), projection: newProjection(cfg.Topics, cfg.Home, cfg.Log),
		loop: measuring{trimmed: map[int32]int64{}}, life: newLifecycle(cfg.Log), told: map[string]*kafka.Backoff{}, left: map[string]bool{},
	}
	v.catchUp.log = cfg.Log
	v.freshness = newFreshness(cfg.Log, v.life.outage, func() { v.life.to(ready, nil) })
	err := v.connect(ctx)
	if err == nil {
		err = v.try(ctx, v.open)
	}
	if errors.Is(err, ErrDamaged) {
		err = v.try(ctx, v.open)
	}
	if err != nil && !errors.Is(err, ErrStore) {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// fetchBytes is how many bytes a fetch asks for: about two batches.
const fetchBytes = 4 << 20

// connect makes the clients, and asks which topics and partitions there are.
func (v *View) connect(ctx context.Context) (err error) {
	v.cl, err = v.cfg.Kafka.Connect(ctx, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		// A partition may end with a control record. Without it the view would wait for the end.
		kgo.KeepControlRecords(), kgo.WithHooks(v.spin),
		// A fetch of some partitions, which waits for records, delays that of others that were added
		// meanwhile.
		kgo.FetchMaxWait(500*time.Millisecond),
		// As they were sent: in memory records are several times as large.
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchBytes/16))
	if err != nil {
		return err
	}
	if v.direct, err = v.cfg.Kafka.Connect(ctx); err != nil {
		return err
	}
	v.records = kafka.NewReader(v.direct, v.cfg.Topics.DLQ)
	asked := time.Now()
	ids, starts, ends, err := v.topics(ctx)
	if err != nil {
		return err
	}
	v.ids, v.partitions = ids, slices.Collect(maps.Keys(ends))
	v.freshness.measured(asked, starts, ends)
	return v.addForeign(ctx)
}

// Run keeps the view up to date until ctx is done; then it returns nil. It is called once.
func (v *View) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return v.tail(ctx) })
	g.Go(func() error { return v.measure(ctx) })
	g.Go(func() error { return v.unblock(ctx) })
	g.Go(func() error { return v.followForeign(ctx) })
	return g.Wait()
}

// Close ends the view and closes its store. Run must have returned.
func (v *View) Close() error {
	for _, cl := range []*kgo.Client{v.direct, v.cl} {
		if cl != nil {
			cl.Close()
		}
	}
	return v.cfg.Store.Close()
}

// Health is how far the view is behind the topics.
type Health struct {
	Lag     int64     // records not applied yet, when measured last
	Fresh   time.Time // the newest time at which nothing was missing; zero before the first
	Trouble string    // why the store cannot be used, or that it is being rebuilt; or empty
	Stale   int64     // states that were skipped because their writer had lost the partition
	// Progress is how far it has caught up since its store was opened, such as "12 of 50 records, 24 %, 3 s to go"; or
	// empty: it has caught up once.
	Progress string
	// Oldest is the oldest order that no worker has begun. It is not known before it was measured, and
	// while the view is older than MaxAge: states that are not applied yet may say that an order was
	// begun.
	Oldest Backlog
}

// Health returns the view's health. It does not block.
func (v *View) Health() Health {
	h := Health{Trouble: v.life.trouble(), Stale: v.projection.total.Load(), Progress: v.catchUp.text()}
	h.Lag, h.Fresh = v.freshness.lag()
	if time.Since(h.Fresh) <= MaxAge {
		h.Oldest = v.backlog.get()
	}
	return h
}

// Watch returns a channel that receives a value when an order may have changed since the last
// receive. Several changes may be one value, so a slow reader delays nothing. The order need not
// exist yet. The caller must call stop.
func (v *View) Watch(id order.ID) (changes <-chan struct{}, stop func()) { return v.watchers.add(id) }
