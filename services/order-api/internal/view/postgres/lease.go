package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"example.com/orders/services/order-api/internal/view/tables"
	"example.com/orders/shared/kafka"
)

const (
	// lease is how long an instance may write after it has renewed its lease.
	lease = 6 * time.Second
	// renewal is how often it renews.
	renewal = lease / 3
	// stalled is how long an instance waits for the one that writes to store what is in the topics.
	stalled = 10 * time.Second
	// channel is that of NOTIFY.
	channel = schema
)

// errFenced says that another instance writes.
var errFenced = errors.New("another instance writes the read model")

const (
	renewLease = "UPDATE writer SET expires = clock_timestamp() + CAST($2 AS interval) WHERE epoch = $1 RETURNING epoch"
	// takeLease takes a lease that has expired, and that of an epoch.
	takeLease = `UPDATE writer SET epoch = epoch + 1, instance = $1, expires = clock_timestamp() + CAST($2 AS interval)
WHERE expires <= clock_timestamp() OR epoch = $3 RETURNING epoch`
	giveUpLease = "UPDATE writer SET expires = '-infinity' WHERE instance = $1"
	selectNext  = "SELECT topic, partition, next FROM positions"
	notify      = "SELECT pg_notify('" + channel + "', '')"
	// selectNews is one statement, so that all of it is of the same moment.
	selectNews = `SELECT w.epoch, w.generation, coalesce(p.topic, ''), coalesce(p.partition, 0), coalesce(p.next, 0)
FROM writer w LEFT JOIN positions p ON true`
)

// fence extends the lease of the instance that writes with an epoch, and locks its row until the
// transaction ends. It is errFenced if another instance writes.
func (t *transaction) fence(ctx context.Context, epoch int64) error {
	found, err := t.Scan(ctx, renewLease, []any{epoch, lease}, &epoch)
	if err == nil && !found {
		return errFenced
	}
	return err
}

// publish extends the lease once more, because the transaction may have taken long, and tells all
// instances when it is committed.
func (t *transaction) publish(ctx context.Context, epoch int64) error {
	if err := t.fence(ctx, epoch); err != nil {
		return err
	}
	return t.Exec(ctx, notify)
}

// querier is a connection, or a pool of them.
type querier interface {
	Exec(ctx context.Context, text string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, text string, args ...any) (pgx.Rows, error)
}

// renew keeps the lease, or takes it if it has expired or is that of an epoch, and finds out how far the
// tables go.
func (s *Store) renew(ctx context.Context, q querier, of int64) error {
	s.renewing.Lock()
	defer s.renewing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	epoch := s.state.leads()
	if epoch != 0 {
		rows, err := q.Query(ctx, renewLease, epoch, lease)
		if kept, err := one(rows, err); err != nil {
			return err
		} else if kept == 0 {
			s.lost(epoch)
		}
	} else {
		rows, err := q.Query(ctx, takeLease, s.name, lease, of)
		if epoch, err = one(rows, err); err != nil {
			return err
		} else if epoch != 0 {
			s.state.set(func(st *state) { st.epoch, st.moved = epoch, true })
			s.log.Info("this instance writes the read model")
		}
	}
	return s.look(ctx, q)
}

// one is the number that a statement returned, or 0.
func one(rows pgx.Rows, err error) (n int64, _ error) {
	err = each(rows, err, func(scan tables.Scan) error { return scan(&n) })
	return n, err
}

// lost takes over that another instance writes.
func (s *Store) lost(epoch int64) {
	s.state.set(func(st *state) {
		if st.epoch == epoch {
			st.epoch = 0
		}
	})
	s.log.Warn("another instance writes the read model now: this one was too slow, or does not get all records")
}

// look finds out who writes, and how far the tables go.
func (s *Store) look(ctx context.Context, q querier) error {
	found := news{next: map[kafka.Partition]int64{}}
	rows, err := q.Query(ctx, selectNews)
	err = each(rows, err, func(scan tables.Scan) error {
		var p kafka.Partition
		var next int64
		err := scan(&found.writer, &found.generation, &p.Topic, &p.Number, &next)
		found.next[p] = next
		return err
	})
	if err == nil {
		s.state.set(func(st *state) { st.learn(found) })
	}
	return err
}

// release gives up the lease, if this instance has it. That may not be known: the answer to the last renewal may be lost.
func (s *Store) release(ctx context.Context) error {
	s.state.set(func(st *state) { st.epoch = 0 })
	return s.db.change(ctx, func(tx *transaction) error {
		if err := tx.Exec(ctx, giveUpLease, s.name); err != nil {
			return err
		}
		return tx.Exec(ctx, notify)
	})
}
