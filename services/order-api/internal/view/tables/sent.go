package tables

import (
	"context"
	"encoding/json"
	"slices"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/wire"
)

const (
	// isSent is whether a dead letter l of another program was replayed.
	isSent = `l.dlq_offset <= (SELECT s.last FROM sent_on s WHERE s."foreign" = l."foreign" AND s.partition = l.dlq_partition
  AND s.first <= l.dlq_offset ORDER BY s.first DESC LIMIT 1)`

	selectSentOn = `SELECT json_group_array(json_array(first, last)) FROM sent_on
WHERE "foreign" = ?1 AND partition = ?2 AND first BETWEEN
  coalesce((SELECT max(first) FROM sent_on WHERE "foreign" = ?1 AND partition = ?2 AND first <= ?3), 0) AND ?4 AND last >= ?3`
	removeSentOn = `DELETE FROM sent_on WHERE "foreign" = ? AND partition = ? AND first IN (SELECT CAST(value ->> 0 AS BIGINT) FROM json_each(?) AS pairs)`
	addSentOn    = `INSERT INTO sent_on ("foreign", partition, first, last) SELECT ?, ?, CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT) FROM json_each(?) AS pairs`

	addSentBy    = "INSERT INTO sent_by (job, partition, first, last) SELECT ?, ?, CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT) FROM json_each(?) AS pairs WHERE true ON CONFLICT DO NOTHING"
	settleSentBy = `UPDATE dead_letters INDEXED BY dead_letters_record SET state = 'sent' FROM sent_by s
WHERE s.job = ? AND "foreign" = ? AND dlq_partition = s.partition AND dlq_offset BETWEEN s.first AND s.last AND state <> 'sent'`
	removeSentBy = "DELETE FROM sent_by WHERE job = ?"
)

// span is a range of offsets, with both ends.
type span [2]int64

// joinSpans joins ranges that overlap or touch.
func joinSpans(some []span) (all []span) {
	slices.SortFunc(some, func(a, b span) int { return int(a[0] - b[0]) })
	for _, s := range some {
		if n := len(all); n > 0 && s[0] <= all[n-1][1]+1 {
			all[n-1][1] = max(all[n-1][1], s[1])
			continue
		}
		all = append(all, s)
	}
	return all
}

// sendOn notes which dead letters of other programs a batch has replayed. Their rows are changed by
// settleSent: that takes longer than to send them.
func (tx transaction) sendOn(ctx context.Context, j *view.Job, b wire.JobBatch) error {
	items, err := tx.items(ctx, b.ID, b.From, b.To)
	if err != nil {
		return err
	}
	sent, item := map[int32][]span{}, b.From
	for _, r := range items.ranges {
		p := int32(r[0])
		for first := r[1]; first <= r[2]; {
			last := first
			for ; last <= r[2] && b.Skipped[item] == ""; last, item = last+1, item+1 {
			}
			if first < last {
				sent[p] = append(sent[p], span{first, last - 1})
			}
			first = last
			for ; first <= r[2] && b.Skipped[item] != ""; first, item = first+1, item+1 {
			}
		}
	}
	for partition, all := range sent {
		if err := tx.sendOnOf(ctx, j, partition, joinSpans(all)); err != nil {
			return err
		}
	}
	return nil
}

// sendOnOf is sendOn for the ranges of a partition.
func (tx transaction) sendOnOf(ctx context.Context, j *view.Job, partition int32, all []span) error {
	var text string
	if _, err := tx.Scan(ctx, selectSentOn, []any{j.Topic, partition, all[0][0] - 1, all[len(all)-1][1] + 1}, &text); err != nil {
		return err
	}
	var known []span
	if err := json.Unmarshal([]byte(text), &known); err != nil {
		return err
	}
	added, err := json.Marshal(all)
	if err != nil {
		return err
	}
	joined, err := json.Marshal(joinSpans(slices.Concat(known, all)))
	if err != nil {
		return err
	}
	if err := tx.Exec(ctx, addSentBy, j.ID, partition, string(added)); err != nil {
		return err
	}
	if err := tx.Exec(ctx, removeSentOn, j.Topic, partition, text); err != nil {
		return err
	}
	return tx.Exec(ctx, addSentOn, j.Topic, partition, string(joined))
}

// settleSent changes the rows of the dead letters of other programs that a job has replayed.
func (tx transaction) settleSent(ctx context.Context, j *view.Job) error {
	if j.Topic == "" {
		return nil
	}
	if err := tx.Exec(ctx, settleSentBy, j.ID, j.Topic); err != nil {
		return err
	}
	return tx.Exec(ctx, removeSentBy, j.ID)
}

// SentOn implements view.Store.
func (s Tables) SentOn(ctx context.Context, foreign string, partition int32, from, to int64) (all [][2]int64, err error) {
	err = s.read(func(db reader) error {
		var text string
		err := db.Each(ctx, func(scan Scan) error { return scan(&text) }, selectSentOn, foreign, partition, from, to)
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(text), &all)
	})
	return all, err
}
