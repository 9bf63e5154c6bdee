package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"example.com/orders/services/order-api/internal/foreign"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

const (
	selectJob   = "SELECT value FROM jobs"
	addJob      = "INSERT INTO jobs (id, at, partition, final, value) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) "
	keepJob     = addJob + "DO NOTHING"
	putJob      = addJob + "DO UPDATE SET final = excluded.final, value = excluded.value"
	addChunk    = "INSERT INTO job_chunks (job, n, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
	getChunks   = "SELECT value FROM job_chunks WHERE job = ? AND n BETWEEN ? AND ? ORDER BY n"
	addItem     = `INSERT INTO job_items (job, item, step, partition, "offset", number) VALUES (?, ?, ?, ?, ?, ?)`
	putForecast = `INSERT INTO forecasts (job, partition, "offset", passes, at, value) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (job, partition, "offset") DO UPDATE SET passes = excluded.passes, at = excluded.at, value = excluded.value`
	putReplay = `INSERT INTO replays (partition, "offset", number, job, outcome, rev, at, failed_step, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (partition, "offset", number, job) DO UPDATE SET outcome = excluded.outcome, rev = excluded.rev, at = excluded.at, failed_step = excluded.failed_step,
  reason = excluded.reason WHERE excluded.rev > replays.rev RETURNING number`
)

// applyJob makes a change of a job.
func (tx transaction) applyJob(ctx context.Context, c view.Change) error {
	switch c := c.(type) {
	case view.JobDefined:
		return tx.storeJob(ctx, keepJob, view.NewJob(c.Job, c.Partition))
	case view.JobSelected:
		value, err := json.Marshal(c.JobChunk)
		if err != nil {
			return err
		}
		return tx.Exec(ctx, addChunk, c.ID, c.N, string(value))
	case view.JobEvented:
		j, err := tx.job(ctx, c.ID)
		if err != nil || j == nil {
			return err
		}
		j.Apply(c.JobEvent)
		if err := tx.settleSent(ctx, j); err != nil {
			return err
		}
		return tx.storeJob(ctx, putJob, *j)
	case view.JobAdvanced:
		j, err := tx.job(ctx, c.ID)
		if err != nil || j == nil || !j.Advance(c.JobBatch) {
			return err
		}
		if j.Topic == "" {
			err = tx.sent(ctx, j.Kind, c.JobBatch)
		} else {
			err = tx.sendOn(ctx, j, c.JobBatch)
		}
		if err == nil && j.Limit != 0 { // without a rate an event does it
			err = tx.settleSent(ctx, j)
		}
		if err != nil {
			return err
		}
		return tx.storeJob(ctx, putJob, *j)
	case view.Forecasted:
		return tx.forecast(ctx, c.Forecast)
	}
	return fmt.Errorf("unknown change %T", c)
}

// selected are the items of a job between two of them, as far as they are known.
type selected struct {
	ids    []string
	ranges []wire.Range
}

// add adds the items of a chunk, as its row has them, that are between two items.
func (s *selected) add(value string, from, to int) error {
	var c wire.JobChunk
	if err := json.Unmarshal([]byte(value), &c); err != nil {
		return err
	}
	first := c.N * wire.MaxChunk
	s.ids = append(s.ids, c.IDs[min(max(from-first, 0), len(c.IDs)):min(to-first, len(c.IDs))]...)
	for _, r := range c.Ranges {
		next := first + r.Len()
		if part := (wire.Range{r[0], r[1] + int64(max(from-first, 0)), r[2] - int64(max(next-to, 0))}); part.Len() > 0 {
			s.ranges = append(s.ranges, part)
		}
		first = next
	}
	return nil
}

// chunks are the arguments of getChunks for the items between two of a job.
func chunks(job string, from, to int) []any {
	return []any{job, from / wire.MaxChunk, (to - 1) / wire.MaxChunk}
}

// items are those of a job between two of them.
func (tx transaction) items(ctx context.Context, job string, from, to int) (items selected, err error) {
	err = tx.Each(ctx, func(scan Scan) error {
		var value string
		if err := scan(&value); err != nil {
			return err
		}
		return items.add(value, from, to)
	}, getChunks, chunks(job, from, to)...)
	return items, err
}

// sent adds the items of a batch that were sent and have results.
func (tx transaction) sent(ctx context.Context, kind wire.JobKind, b wire.JobBatch) error {
	if len(b.Numbers) == 0 {
		return nil
	}
	items, err := tx.items(ctx, b.ID, b.From, b.To)
	if err != nil || len(items.ids) != b.To-b.From {
		return err
	}
	for i, id := range items.ids {
		at, ok := origin(id)
		if b.Numbers[i] == 0 || !ok {
			continue
		}
		number := b.Numbers[i]
		if kind == wire.JobDryRun {
			number = 0
		}
		if err := tx.Exec(ctx, addItem, b.ID, b.From+i, b.Step, at.Partition, at.Offset, number); err != nil {
			return err
		}
		if err := tx.settleItems(ctx, at.Partition, at.Offset); err != nil {
			return err
		}
	}
	return nil
}

// origin is the place in the topic orders that is the ID of a dead letter of ours.
func origin(id string) (at order.Origin, ok bool) {
	first, second, _ := strings.Cut(id, "-")
	partition, err1 := strconv.ParseInt(first, 10, 32)
	offset, err2 := strconv.ParseInt(second, 10, 64)
	return order.Origin{Partition: int32(partition), Offset: offset}, err1 == nil && err2 == nil
}

func (tx transaction) forecast(ctx context.Context, f wire.Forecast) error {
	at, ok := origin(f.DeadLetter)
	value, err := json.Marshal(f)
	if err != nil || !ok {
		return err
	}
	if err := tx.Exec(ctx, putForecast, f.Job, at.Partition, at.Offset, view.Passes(&f), f.At.UnixMilli(), string(value)); err != nil {
		return err
	}
	return tx.settleItems(ctx, at.Partition, at.Offset)
}

// storedJob is a job as its row has it: with what the record of its definition has in headers.
type storedJob struct {
	view.Job
	At    time.Time
	Cause order.Cause
}

func (tx transaction) storeJob(ctx context.Context, put string, j view.Job) error {
	value, err := json.Marshal(storedJob{j, j.At, j.Cause})
	if err != nil {
		return err
	}
	return tx.Exec(ctx, put, j.ID, j.At.UnixMilli(), j.Partition, j.State.Final(), string(value))
}

func (tx transaction) job(ctx context.Context, id string) (*view.Job, error) {
	var value string
	if found, err := tx.Scan(ctx, selectJob+" WHERE id = ?", []any{id}, &value); err != nil || !found {
		return nil, err
	}
	j, err := readJob(value)
	return &j, err
}

func readJob(value string) (view.Job, error) {
	var s storedJob
	err := json.Unmarshal([]byte(value), &s)
	s.Job.At, s.Job.Cause = s.At.Truncate(time.Millisecond), s.Cause
	return s.Job, err
}

func (tx transaction) replayed(ctx context.Context, r view.Answered) error {
	var number int
	changed, err := tx.Scan(ctx, putReplay, []any{
		r.Origin.Partition, r.Origin.Offset, r.Number, r.Job, r.Outcome, r.Rev, r.At.UnixMilli(), r.Step, r.Reason,
	}, &number)
	if err != nil || !changed {
		return err
	}
	return tx.settleItems(ctx, r.Origin.Partition, r.Origin.Offset)
}

// Job implements view.Store.
func (s Tables) Job(ctx context.Context, id string) (*view.Job, error) {
	return first(s.jobs(ctx, selectJob+" WHERE id = ?", []any{id}))
}

// Jobs implements view.Store.
func (s Tables) Jobs(ctx context.Context, f view.JobFilter, after view.Cursor) ([]view.Job, error) {
	var w where
	if f.Partition != nil {
		w.add("partition = ?", *f.Partition)
	}
	if f.Unfinished {
		w.add("NOT final")
	}
	w.after(after, "(at, id)")
	return s.jobs(ctx, selectJob+w.String()+" ORDER BY at DESC, id DESC LIMIT ?", append(w.args, f.Limit))
}

func (s Tables) jobs(ctx context.Context, query string, args []any) (all []view.Job, err error) {
	err = s.each(ctx, "jobs", func(scan Scan) error {
		var value string
		if err := scan(&value); err != nil {
			return err
		}
		j, err := readJob(value)
		all = append(all, j)
		return err
	}, query, args)
	return all, err
}

// JobItems implements view.Store.
func (s Tables) JobItems(ctx context.Context, j *view.Job, from, to int) (ids []string, err error) {
	var items selected
	err = s.each(ctx, "the selection of a job", func(scan Scan) error {
		var value string
		if err := scan(&value); err != nil {
			return err
		}
		return items.add(value, from, to)
	}, getChunks, chunks(j.ID, from, to))
	ids = items.ids
	for _, r := range items.ranges {
		for at := r[1]; at <= r[2]; at++ {
			ids = append(ids, foreign.Place{Topic: j.Topic, Partition: int32(r[0]), Offset: at}.ID())
		}
	}
	return ids, err
}

// settleItem computes the outcome of the items of a dead letter. A trigger counts it. A failure of which only
// the state of its order is known has no message, and its cause does not count as a new one.
const settleItem = `UPDATE job_items AS i SET (outcome, failed_step, reason, cause, new, rev, at) = (SELECT outcome,
  CASE outcome WHEN 'failed-again' THEN failed_step ELSE '' END, CASE outcome WHEN 'failed-again' THEN reason ELSE '' END, cause, new, rev, at
FROM (SELECT coalesce(r.rev, CASE WHEN f.at IS NULL THEN 0 ELSE 1 END) AS rev, coalesce(r.at, f.at, 0) AS at,
  coalesce(r.failed_step, '') AS failed_step, coalesce(r.reason, '') AS reason,
  coalesce(CASE WHEN i.number = 0 THEN l.cause ELSE x.cause END, '') AS cause,
  coalesce(x.message, '') <> '' AND (SELECT count(*) > 0 AND count(*) FILTER (WHERE p.cause = x.cause) = 0 FROM failures p
    WHERE p.dead_letter = x.dead_letter AND p.number < x.number AND p.message <> '') AS new,
  CASE WHEN f.passes THEN 'would-pass' WHEN NOT f.passes THEN 'would-fail'
    WHEN r.outcome NOT IN ('in-flight', 'retrying', 'waiting') THEN r.outcome
    WHEN i.number > 0 AND EXISTS (SELECT 1 FROM replays n WHERE n.partition = i.partition AND n."offset" = i."offset" AND n.number > i.number)
      THEN 'failed-again'
    WHEN EXISTS (SELECT 1 FROM erased e WHERE e.partition = i.partition AND e."offset" = i."offset") THEN 'erased'
    ELSE coalesce(r.outcome, 'in-flight') END AS outcome
FROM (SELECT 1) here LEFT JOIN replays r ON r.partition = i.partition AND r."offset" = i."offset" AND r.number = i.number AND r.job = i.job
LEFT JOIN forecasts f ON f.job = i.job AND f.partition = i.partition AND f."offset" = i."offset"
LEFT JOIN dead_letters l ON i.number = 0 AND l.id = i.partition || '-' || i."offset"
LEFT JOIN failures x ON r.outcome = 'failed-again' AND x.dead_letter = i.partition || '-' || i."offset" AND x.number = i.number) found)
WHERE partition = ? AND "offset" = ?`

// settleItems computes what follows from the other tables for the items that are replays of the dead
// letter of an origin.
func (tx transaction) settleItems(ctx context.Context, partition int32, offset int64) error {
	return tx.Exec(ctx, settleItem, partition, offset)
}

// selectResults is one statement with the job, so that both are of the same moment.
const selectResults = `SELECT j.value, c.step, c.outcome, c.failed_step, c.reason, c.cause, c.new, c.n, c.revs, c.last
FROM jobs j LEFT JOIN job_counts c ON c.job = j.id AND c.n > 0 WHERE j.id = ? ORDER BY 2, 3, 4, 5, 6, 7`

// JobResults implements view.Store.
func (s Tables) JobResults(ctx context.Context, id string) (j *view.Job, all []view.JobResult, err error) {
	err = s.each(ctx, "the results of a job", func(scan Scan) error {
		var value string
		var step, count, revs, last *int64
		var outcome, failed, reason, cause *string
		var fresh *bool
		if err := scan(&value, &step, &outcome, &failed, &reason, &cause, &fresh, &count, &revs, &last); err != nil {
			return err
		}
		if j == nil {
			read, err := readJob(value)
			if j = &read; err != nil {
				return err
			}
		}
		if step == nil {
			return nil // nothing was sent yet
		}
		r := view.JobResult{
			Step: int(*step), Outcome: view.ReplayOutcome(*outcome), Failed: order.Step(*failed), Reason: *reason, Cause: *cause, New: *fresh, Count: int(*count), Revs: *revs,
		}
		if *last != 0 {
			r.Last = time.UnixMilli(*last).UTC()
		}
		all = append(all, r)
		return nil
	}, selectResults, []any{id})
	return j, all, err
}

// JobForecasts implements view.Store.
func (s Tables) JobForecasts(ctx context.Context, id string, after, most int) (all []wire.Forecast, last int, err error) {
	const query = `SELECT i.item, f.value FROM job_items i JOIN forecasts f ON f.job = i.job AND f.partition = i.partition AND f."offset" = i."offset"
WHERE i.job = ? AND i.item > ? ORDER BY i.item LIMIT ?`
	last = after
	err = s.each(ctx, "the forecasts of a job", func(scan Scan) error {
		var value string
		if err := scan(&last, &value); err != nil {
			return err
		}
		var f wire.Forecast
		err := json.Unmarshal([]byte(value), &f)
		all = append(all, f)
		return err
	}, query, []any{id, after, most})
	return all, last, err
}
