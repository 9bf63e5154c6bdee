package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/storetest"
	"example.com/orders/services/order-api/internal/view/tables"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func TestChangesOfABatchAreStoredTogether(t *testing.T) {
	t.Parallel()
	server := storetest.StartPostgres(t)
	t.Run("in a few round trips", func(t *testing.T) {
		t.Parallel()
		s := reset(t, server)
		for rev := range int64(2) {
			var sent counted
			must(t, s.db.change(t.Context(), func(tx *transaction) error {
				sent.Tx, tx.Tx = tx.Tx, &sent
				return tx.apply(t.Context(), states(0, rev, rev+1))
			}))
			if sent.trips > 12 {
				t.Errorf("rev %d: %d changes took %d round trips, want at most 12", rev, perBatch, sent.trips)
			}
		}
	})
	t.Run("with the result of one after the other", func(t *testing.T) {
		t.Parallel()
		together, single := reset(t, server), reset(t, server)
		for seed := range uint64(5) {
			b := view.Batch{Changes: anyChanges(rand.New(rand.NewPCG(seed, 1)), 400)}
			must(t, together.db.change(t.Context(), func(tx *transaction) error { return tx.apply(t.Context(), b) }))
			must(t, single.db.change(t.Context(), func(tx *transaction) error { return tables.Apply(t.Context(), tx, b) }))
			if diff := cmp.Diff(single.contents(t), together.contents(t)); diff != "" {
				t.Fatalf("seed %d (-one after the other +together):\n%s", seed, diff)
			}
		}
	})
}

// counted is a transaction that counts its round trips.
type counted struct {
	pgx.Tx
	trips int
}

func (c *counted) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	c.trips++
	return c.Tx.SendBatch(ctx, b)
}

// reset is an empty store that writes.
func reset(t *testing.T, server *storetest.Postgres) *Store {
	t.Helper()
	s := open(t, server.Database(t))
	t.Cleanup(func() { must(t, s.Close()) })
	must(t, s.Reset(t.Context(), topics()))
	return s
}

// anyChanges are changes of few orders and dead letters, so that many are about the same one. Mostly, several of a kind
// follow each other.
func anyChanges(r *rand.Rand, n int) (all []view.Change) {
	kind := 0
	for i := range n {
		if r.IntN(8) == 0 {
			kind = r.IntN(6)
		}
		row := view.Row{
			ID: order.ID(fmt.Sprint("ord_", r.IntN(12))), Offset: int64(r.IntN(12)), PlacedAt: time.UnixMilli(int64(r.IntN(3))), Status: order.Accepted,
			Words: []string{"com", fmt.Sprint("name", r.IntN(4))}, Value: fmt.Append(nil, i),
		}
		switch kind {
		case 0, 1:
			all = append(all, view.Placed{Row: row, Written: row.PlacedAt})
		case 2, 3:
			row.Status, row.Begun, row.Rev = []order.Status{order.Working, order.Dead, order.Confirmed}[r.IntN(3)], true, int64(i)
			all = append(all, view.Changed{Row: row})
		case 4:
			l := view.Failed{Offset: int64(i), CauseID: "cause_1", Words: row.Words, FromState: r.IntN(5) == 0}
			l.Key, l.Origin, l.Rev, l.Replays, l.Class = []byte(row.ID), order.Origin{Offset: row.Offset}, int64(i), r.IntN(3), failure.Permanent
			l.FirstFailed, l.LastFailed = row.PlacedAt, row.PlacedAt
			all = append(all, l)
		case 5:
			all = append(all, view.Erased{ID: row.ID, At: row.PlacedAt}, view.Decided{Decision: wire.Decision{
				ID: fmt.Sprint("act_", i), DeadLetter: fmt.Sprint("0-", row.Offset), Kind: wire.Discard, At: row.PlacedAt,
			}})
		}
	}
	return all
}

// contents are the rows of the tables that such changes change, without what only the sequence of writing decides.
func (s *Store) contents(t *testing.T) (lines []string) {
	t.Helper()
	for _, from := range []string{
		"orders", "dead_letters", "failures", "erased", "decisions",
		"(SELECT word, at, o.id FROM order_words LEFT JOIN orders o ON o.rowid = row)",
		"(SELECT word, at, l.id AS dead_letter FROM dead_letter_words LEFT JOIN dead_letters l ON l.rowid = row)",
	} {
		var text string
		query := `SELECT coalesce(string_agg(line, chr(10) ORDER BY line), '') FROM (SELECT CAST(to_jsonb(t) - 'rowid' AS text) AS line FROM ` + from + ` t) each`
		must(t, s.db.QueryRow(t.Context(), query).Scan(&text))
		lines = append(lines, strings.Split(text, "\n")...)
	}
	return lines
}
