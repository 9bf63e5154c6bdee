package tables

import (
	"context"
	"fmt"
	"strings"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

const (
	selectFailed  = "SELECT rowid, last_failed, words FROM dead_letters WHERE id = ?"
	addDeadLetter = `INSERT INTO dead_letters (id, "foreign", topic, partition, "offset", key, dlq_partition, dlq_offset, gone,
  step, class, reason, message, attempts, first_failed, last_failed, worker, trace, replays, rev, cause, text, words)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) `
	keepDeadLetter    = addDeadLetter + "DO NOTHING RETURNING rowid"
	replaceDeadLetter = addDeadLetter + `DO UPDATE SET topic = excluded.topic, key = excluded.key,
  dlq_partition = excluded.dlq_partition, dlq_offset = excluded.dlq_offset, gone = excluded.gone, step = excluded.step,
  class = excluded.class, reason = excluded.reason, message = excluded.message, attempts = excluded.attempts,
  first_failed = excluded.first_failed, last_failed = excluded.last_failed, worker = excluded.worker, trace = excluded.trace,
  replays = excluded.replays, rev = excluded.rev, cause = excluded.cause, text = excluded.text, words = excluded.words
WHERE (dead_letters."foreign" <> '' OR excluded.dlq_partition = dead_letters.partition
  OR dead_letters.dlq_partition <> dead_letters.partition OR dead_letters.gone)
AND (excluded.key IN ('', dead_letters.key) OR NOT EXISTS (SELECT 1 FROM orders o
  WHERE o.partition = dead_letters.partition AND o."offset" = dead_letters."offset" AND o.id = dead_letters.key))
RETURNING rowid`
	putFailure = `INSERT INTO failures (dead_letter, number, at, step, class, reason, message, attempts, worker, cause, dlq_partition,
  dlq_offset, edit) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (dead_letter, number) `
	keepFailure    = putFailure + "DO NOTHING"
	replaceFailure = putFailure + `DO UPDATE SET at = excluded.at, step = excluded.step, class = excluded.class, reason = excluded.reason,
  message = excluded.message, attempts = excluded.attempts, worker = excluded.worker, cause = excluded.cause,
  dlq_partition = excluded.dlq_partition, dlq_offset = excluded.dlq_offset, edit = excluded.edit`

	addDecision = `INSERT INTO decisions (id, at, actor, trace, kind, target, text, version, value, grouped)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, CAST(?8 AS BIGINT), ?9, ?10
WHERE CAST(?8 AS BIGINT) = 0 OR CAST(?8 AS BIGINT) = 1 + coalesce((SELECT max(version) FROM decisions WHERE target = ?6 AND kind = 'edit'), 0)
ON CONFLICT DO NOTHING`

	forgetWords = "UPDATE dead_letters SET words = '' WHERE id = ?"
	forgetEdits = "DELETE FROM decisions WHERE target = ? AND kind = 'edit'"
)

// fail adds a dead letter and its failure.
func (tx transaction) fail(ctx context.Context, l view.Failed) error {
	id := l.ID()
	var before indexed
	_, err := tx.Scan(ctx, selectFailed, []any{id}, &before.row, &before.at, &before.words)
	if err != nil {
		return err
	}
	put, history := replaceDeadLetter, replaceFailure
	if l.FromState {
		put, history = keepDeadLetter, keepFailure
	}
	after := indexed{at: l.LastFailed.UnixMilli(), words: joined(l.Words)}
	changed, err := tx.Scan(ctx, put, []any{
		id, l.Foreign, l.Topic, l.Origin.Partition, l.Origin.Offset, string(l.Key), l.Partition, l.Offset, l.Gone,
		l.Step, l.Class.String(), l.Reason, l.Message, l.Attempts, l.FirstFailed.UnixMilli(), after.at,
		l.Worker, l.Cause.Trace, l.Replays, l.Rev, l.CauseID, l.Text, after.words,
	}, &after.row)
	if err != nil || !changed && !l.FromState {
		return err
	}
	if err := tx.Exec(ctx, history, id, l.Replays, after.at, l.Step, l.Class.String(), l.Reason, l.Message, l.Attempts,
		l.Worker, l.CauseID, l.Partition, l.Offset, l.Edit); err != nil {
		return err
	}
	if l.Foreign == "" {
		err = tx.settleItems(ctx, l.Origin.Partition, l.Origin.Offset)
	}
	if err != nil || !changed {
		return err
	}
	if err := tx.reindex(ctx, deadLetterWords, before, after); err != nil {
		return err
	}
	return tx.settle(ctx, id)
}

func (tx transaction) decide(ctx context.Context, d wire.Decision) error {
	err := tx.Exec(ctx, addDecision, d.ID, d.At.UnixMilli(), d.Cause.Actor.String(), d.Cause.Trace, d.Kind, d.Target(), d.Text,
		d.Version, d.Value, d.Group != "")
	if err != nil || d.DeadLetter == "" {
		return err
	}
	return tx.settle(ctx, d.DeadLetter)
}

// settle computes what follows from the other tables for a dead letter, if it is known. Its order is
// found by its origin: another order may have used the same key. If the key is not that of the order,
// which may be of a topic that was recreated since, it is the dead letter of something else. A dead
// letter is acknowledged before the status that says dead, so an order that has not reached the dead
// letter's rev yet is not past it; nor is one that was never begun.
func (tx transaction) settle(ctx context.Context, id string) error {
	var in indexed
	var erased bool
	known, err := tx.Scan(ctx, settleDeadLetter(), []any{id}, &in.row, &in.at, &in.words, &erased)
	if err != nil || !known || !erased {
		return err
	}
	if err := tx.Exec(ctx, forgetEdits, id); err != nil || in.words == "" {
		return err
	}
	if err := tx.removeWords(ctx, deadLetterWords, in); err != nil {
		return err
	}
	return tx.Exec(ctx, forgetWords, id)
}

// settleDeadLetter is the statement of settle. It returns what the index of words has of the dead
// letter, and whether its order was erased.
func settleDeadLetter() string {
	const statement = `UPDATE dead_letters AS l SET (state, erased, discarded, edited, notes) = (
SELECT CASE WHEN o.status IN (%s) AND o.rev >= l.rev THEN 'closed'
    WHEN o.status NOT IN ('dead', 'accepted') AND o.rev >= l.rev THEN 'replayed'
    WHEN o.id IS NULL AND e.id IS NOT NULL THEN 'closed'
    WHEN NOT ours AND ` + isSent + ` THEN 'sent'
    WHEN d.kind = 'discard' THEN 'discarded'
    WHEN l.gone THEN 'lost' WHEN l.replays >= %d THEN 'parked' ELSE 'open' END,
  o.id IS NULL AND e.id IS NOT NULL, CASE WHEN d.kind = 'discard' THEN d.seq ELSE 0 END,
  coalesce((SELECT max(seq) FROM decisions WHERE target = l.id AND kind = 'edit'), 0),
  (SELECT count(*) FROM decisions WHERE target = l.id AND kind = 'note')
FROM (SELECT l."foreign" = '' AS ours) here LEFT JOIN orders o ON ours AND o.partition = l.partition AND o."offset" = l."offset" AND l.key IN ('', o.id)
LEFT JOIN erased e ON ours AND e.partition = l.partition AND e."offset" = l."offset"
LEFT JOIN decisions d ON d.seq = (SELECT max(seq) FROM decisions WHERE target = l.id AND kind IN ('discard', 'restore')) LIMIT 1)
WHERE id = ? RETURNING rowid, last_failed, words, erased`
	var ended []string
	for _, s := range order.Statuses() {
		if s.Final() && s != order.Dead {
			ended = append(ended, "'"+string(s)+"'")
		}
	}
	return fmt.Sprintf(statement, strings.Join(ended, ", "), view.ParkAfter)
}
