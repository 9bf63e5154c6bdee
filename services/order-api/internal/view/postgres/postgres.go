// Package postgres keeps the read model of package view in a PostgreSQL database that several API
// instances share.
//
// One instance writes at a time, all partitions: what is stored of a dead letter follows from records
// of several topics. All instances read the topics, and Apply of one that does not write returns when
// the writer has stored the batch. So waiting requests, event streams and freshness work on each.
//
// The row of table writer is a lease with an epoch. The writer renews it, and each transaction that
// writes first checks the epoch and locks the row: a former writer, which may have been paused, cannot
// write (fencing). The lease of a writer that is killed expires after 6 s by the database's clock, and
// another instance takes it with a higher epoch; one that stops gives it up at once. An instance whose
// records the writer does not store for 10 s takes the lease, too: that writer may not reach Kafka.
//
// Instances learn by NOTIFY, on a connection of its own, that the tables have changed, and ask how far
// they go. After a lost connection they ask as well. Nothing is asked for periodically but the lease.
//
// Positions are in the same transaction as what was read up to them. If a connection is lost during a
// commit, the batch is repeated, and the stored positions tell whether it is applied already.
package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/tables"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// Store is a view.Store in a database.
type Store struct {
	tables.Tables

	db    *database
	name  string // of this instance, and of no other
	log   *slog.Logger
	state *state

	renewing sync.Mutex         // held while the lease is kept or taken
	stop     context.CancelFunc // ends watch
	watching sync.WaitGroup
}

var _ view.Store = (*Store)(nil)

// errReset says that another instance has emptied the tables.
var errReset = fmt.Errorf("%w: another instance fills the tables again", view.ErrDamaged)

// Open prepares a store for a database by its URL or keywords, as libpq reads them; what they lack is
// taken from the PG… variables, the service file and the password file. It does not connect. The caller
// closes the store.
func Open(url string, log *slog.Logger) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err // without the password
	}
	conn := cfg.ConnConfig
	conn.RuntimeParams["search_path"] = schema
	// A writer that is paused in a transaction must not keep the lock of the lease.
	conn.RuntimeParams["idle_in_transaction_session_timeout"] = strconv.FormatInt((lease * 2 / 3).Milliseconds(), 10)
	// A query is planned for its arguments: a word that all orders have is not looked up like one that few have. A plan for
	// any arguments, which the server prefers after a few uses, reads all rows of the word.
	conn.RuntimeParams["plan_cache_mode"] = "force_custom_plan"
	// Most of what is read is in memory. With the default, the planner may read a whole table instead of a page by its index.
	if conn.RuntimeParams["random_page_cost"] == "" {
		conn.RuntimeParams["random_page_cost"] = "1.1"
	}
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = "order-api"
	}
	if conn.ConnectTimeout == 0 {
		conn.ConnectTimeout = patience / 2
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	s := &Store{
		db: &database{pool, new(translator)}, name: host + "/" + strconv.Itoa(os.Getpid()) + "/" + rand.Text()[:6], log: log, state: newState(),
	}
	s.Tables = tables.New(s.use)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.watching.Go(func() { s.watch(ctx) })
	return s, nil
}

// use calls do with the open database.
func (s *Store) use(do func(tables.Reader) error) error {
	if err := s.state.usable(); err != nil {
		return err
	}
	return faults.Classify(do(s.db))
}

// Close gives up the lease, so that another instance can write at once. While the database does not answer, it blocks
// for the rest of a renewal, and for as long as the lease lasts.
func (s *Store) Close() error {
	s.stop()
	s.watching.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), lease)
	defer cancel()
	err := s.release(ctx)
	s.db.Close()
	if err != nil {
		s.log.Warn("the read model's lease cannot be given up: another instance writes when it has expired", telemetry.Error, err)
	}
	return nil
}

// Resume implements view.Store. It takes the lease, if that is free.
func (s *Store) Resume(ctx context.Context, topics map[string]kadm.TopicID) (map[kafka.Partition]view.Position, error) {
	positions, err := s.resume(ctx, topics)
	return positions, faults.Classify(err)
}

func (s *Store) resume(ctx context.Context, topics map[string]kadm.TopicID) (positions map[kafka.Partition]view.Position, err error) {
	if err := s.db.migrate(ctx); err != nil {
		return nil, err
	}
	if err := s.renew(ctx, s.db, 0); err != nil {
		return nil, err
	}
	var generation int64
	epoch := s.state.leads()
	err = s.db.snapshot(ctx, func(tx *transaction) error {
		if err := tx.QueryRow(ctx, "SELECT generation FROM writer").Scan(&generation); err != nil {
			return err
		}
		positions, err = tables.Positions(ctx, tx, topics)
		return err
	})
	if err != nil || positions == nil {
		return nil, err
	}
	s.state.set(func(st *state) { st.opens(generation, epoch, positions) })
	return positions, nil
}

// Reset implements view.Store. An instance that does not write returns when another one has reset the
// tables for the same topics; until then the store is unavailable.
func (s *Store) Reset(ctx context.Context, topics map[string]kadm.TopicID) error {
	positions, err := s.resume(ctx, topics)
	if epoch := s.state.leads(); epoch != 0 && (err == nil || damaged(err)) {
		return faults.Unavailable(s.reset(ctx, epoch, topics))
	}
	if err == nil && positions == nil {
		err = &view.UnavailableError{Reason: "another instance has not prepared it yet"}
	}
	return faults.Unavailable(err)
}

// reset empties the tables. The instance writes with an epoch.
func (s *Store) reset(ctx context.Context, epoch int64, topics map[string]kadm.TopicID) error {
	var generation int64
	err := s.db.change(ctx, func(tx *transaction) error {
		// In this sequence: another instance that migrates has the lock before it waits for tables.
		if err := run(ctx, tx.Tx, lock); err != nil {
			return err
		}
		if err := tx.fence(ctx, epoch); err != nil {
			return err
		}
		if err := run(ctx, tx.Tx, removeTables); err != nil {
			return err
		}
		if err := migrate(ctx, tx.Tx); err != nil {
			return err
		}
		if err := tables.AddTopics(ctx, tx, topics); err != nil {
			return err
		}
		if _, err := tx.Scan(ctx, "UPDATE writer SET generation = generation + 1 RETURNING generation", nil, &generation); err != nil {
			return err
		}
		return tx.publish(ctx, epoch)
	})
	if errors.Is(err, errFenced) {
		s.lost(epoch)
	}
	if err == nil {
		s.state.set(func(st *state) { st.opens(generation, epoch, nil) })
	}
	return err
}

// Check implements view.Store.
func (s *Store) Check() error {
	if err := s.state.usable(); errors.Is(err, view.ErrDamaged) {
		return err
	}
	return s.state.unwatched()
}

// Apply implements view.Store. An instance that does not write waits until the batch is stored by the
// one that does; it is view.ErrMoved if this instance has begun to write meanwhile.
func (s *Store) Apply(ctx context.Context, b view.Batch) error {
	late := time.NewTimer(stalled)
	defer late.Stop()
	for {
		t, err := s.state.turn(b)
		if err != nil || t.covered {
			return err
		}
		if t.epoch != 0 {
			err := s.write(ctx, t.epoch, b)
			if !errors.Is(err, errFenced) {
				return faults.Classify(err)
			}
			s.lost(t.epoch)
			continue
		}
		select {
		case <-t.changed:
		case <-late.C:
			if err := s.renew(ctx, s.db, s.state.other()); err != nil {
				return faults.Classify(err)
			}
			late.Reset(stalled)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// write stores a batch as the instance that writes with an epoch.
func (s *Store) write(ctx context.Context, epoch int64, b view.Batch) error {
	known := s.state.positions()
	stored := map[kafka.Partition]int64{}
	err := s.db.change(ctx, func(tx *transaction) error {
		if err := tx.fence(ctx, epoch); err != nil {
			return err
		}
		if err := tx.Each(ctx, into(stored), selectNext); err != nil || covers(stored, b) {
			return err // covered: the commit of the last attempt has succeeded, as far as the database goes
		}
		for p := range b.Positions {
			if stored[p] != known[p] {
				return view.ErrMoved
			}
		}
		if err := tx.apply(ctx, b); err != nil {
			return err
		}
		return tx.publish(ctx, epoch)
	})
	if err == nil {
		s.state.set(func(st *state) { st.advance(b.Positions) })
	}
	return err
}

// into collects how far the tables go.
func into(next map[kafka.Partition]int64) func(tables.Scan) error {
	return func(scan tables.Scan) error {
		var p kafka.Partition
		var at int64
		err := scan(&p.Topic, &p.Number, &at)
		next[p] = at
		return err
	}
}

// Trim implements view.Store. Every instance may do it: offsets only rise.
func (s *Store) Trim(ctx context.Context, foreign string, partition int32, below int64) error {
	if err := s.state.usable(); err != nil {
		return err
	}
	return faults.Classify(s.db.change(ctx, func(tx *transaction) error {
		// One at a time with the batches of the writer.
		if err := tx.Exec(ctx, "SELECT FROM writer FOR UPDATE"); err != nil {
			return err
		}
		return tables.Trim(ctx, tx, foreign, partition, below)
	}))
}
