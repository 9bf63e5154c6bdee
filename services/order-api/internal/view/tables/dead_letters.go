package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/wire"
)

// DeadLettersByID implements view.Store.
func (s Tables) DeadLettersByID(ctx context.Context, ids []string) ([]view.DeadLetter, error) {
	return s.deadLetters(ctx, "SELECT rowid AS row, last_failed, id FROM dead_letters WHERE id IN (SELECT value FROM json_each(?) AS texts)", []any{texts(ids)})
}

// DeadLetters implements view.Store.
func (s Tables) DeadLetters(
	ctx context.Context, f view.DeadLetterFilter, words []string, after view.Cursor,
) (all []view.DeadLetter, err error) {
	query, args, err := s.pick(ctx, f, words, after, "DESC")
	if err != nil {
		return nil, err
	}
	return s.deadLetters(ctx, query, args)
}

// Touched implements view.Store.
func (s Tables) Touched(ctx context.Context, foreign string, partition int32, from, to int64) (all []view.DeadLetter, err error) {
	const query = `SELECT dlq_offset, state, edited <> 0, e.value FROM dead_letters INDEXED BY dead_letters_touched LEFT JOIN decisions e ON e.seq = edited
WHERE "foreign" <> '' AND "foreign" = ? AND dlq_partition = ? AND dlq_offset BETWEEN ? AND ? AND (state NOT IN ('open', 'sent') OR edited <> 0)`
	err = s.each(ctx, "dead letters of other programs", func(scan Scan) error {
		l, edited, value := view.DeadLetter{Foreign: foreign, Partition: partition}, false, []byte(nil)
		err := scan(&l.Offset, &l.State, &edited, &value)
		if edited {
			l.Edit = &wire.Decision{Value: value}
		}
		all = append(all, l)
		return err
	}, query, []any{foreign, partition, from, to})
	return all, err
}

// Sources implements view.Store.
func (s Tables) Sources(ctx context.Context, ids []string) (topics []string, err error) {
	err = s.each(ctx, "the topics that dead letters name", func(scan Scan) error {
		var topic string
		err := scan(&topic)
		topics = append(topics, topic)
		return err
	}, "SELECT DISTINCT topic FROM dead_letters WHERE id IN (SELECT value FROM json_each(?) AS texts)", []any{texts(ids)})
	return topics, err
}

// Select implements view.Store.
func (s Tables) Select(ctx context.Context, f view.DeadLetterFilter, words []string, after view.Cursor) (ids []string, err error) {
	query, args, err := s.pick(ctx, f, words, after, "ASC")
	if err != nil {
		return nil, err
	}
	// One row: to read a row costs more than to find it.
	query = "SELECT coalesce(group_concat(id, char(10)), '') FROM (" + query + ") page"
	err = s.each(ctx, "the IDs of dead letters", func(scan Scan) error {
		var all string
		if err := scan(&all); err != nil || all == "" {
			return err
		}
		ids = strings.Split(all, "\n")
		return nil
	}, query, args)
	return ids, err
}

// pick is the query of a filter, for the rows in a sequence.
func (s Tables) pick(
	ctx context.Context, f view.DeadLetterFilter, words []string, after view.Cursor, sequence string,
) (query string, args []any, err error) {
	err = s.read(func(db reader) (err error) {
		query, args, err = DeadLettersQuery(ctx, db, f, words, after, sequence)
		return err
	})
	return query, args, err
}

// DeadLettersQuery is the query of a filter for the rows in a sequence, ASC or DESC. It has a query for
// each state, which reads an index in its sequence, and merges them. If few dead letters can be meant it
// looks at each of those.
func DeadLettersQuery(
	ctx context.Context, db Reader, f view.DeadLetterFilter, words []string, after view.Cursor, sequence string,
) (string, []any, error) {
	var w where
	few, err := reader{db}.search(ctx, &w, words, spanOf(f.From, f.To))
	if err != nil {
		return "", nil, err
	}
	few = few || f.Since != nil
	plus, than := "", "<"
	if few {
		plus = "+"
	}
	if sequence == "ASC" {
		than = ">"
	}
	conditions(f, &w, plus)
	w.beyond(after, "("+plus+"last_failed, id)", than)
	const arm = "SELECT rowid AS row, last_failed, id FROM dead_letters"
	end := " ORDER BY last_failed " + sequence + ", id " + sequence + " LIMIT ?"
	if few {
		in(&w, "+state", f.States)
		return arm + w.String() + end, append(w.args, f.Limit), nil
	}
	var arms []string
	var args []any
	for _, state := range states(f) {
		of := where{slices.Clone(w.conditions), slices.Clone(w.args)}
		of.add("state = ?", state)
		arms, args = append(arms, arm+of.String()), append(args, of.args...)
	}
	return strings.Join(arms, " UNION ALL ") + end, append(args, f.Limit), nil
}

// states are those that a filter selects, each once.
func states(f view.DeadLetterFilter) []view.DeadLetterState {
	if len(f.States) == 0 {
		return view.DeadLetterStates()
	}
	return slices.Compact(slices.Sorted(slices.Values(f.States)))
}

// conditions adds those of a filter but that of its states. A query uses the index of the first
// column that the filter names, of those that few dead letters share first; a plus sign keeps SQLite
// from taking that of another.
func conditions(f view.DeadLetterFilter, w *where, plus string) {
	class, foreign := "", f.Topic
	if f.Class != nil {
		class = f.Class.String()
	}
	for _, c := range []struct{ column, value string }{
		{"cause", f.Cause}, {"reason", string(f.Reason)}, {"step", string(f.Step)}, {`"foreign"`, foreign}, {"class", class},
	} {
		if c.value != "" {
			w.add(plus+c.column+" = ?", strings.TrimPrefix(c.value, view.Ours))
			plus = "+"
		}
	}
	if !f.From.IsZero() {
		w.add(plus+"last_failed >= ?", f.From.UnixMilli())
	}
	if f.Since != nil {
		w.add(since, mark(f.Since))
	}
	if !f.To.IsZero() {
		w.add(plus+"last_failed < ?", f.To.UnixMilli())
	}
}

// since is the condition that a dead letter was appended after a mark: few were, and an index finds them.
const since = `rowid IN (SELECT l.rowid FROM json_each(?) AS pairs CROSS JOIN dead_letters l INDEXED BY dead_letters_record
  WHERE l."foreign" = value ->> 0 AND l.dlq_partition = CAST(value ->> 1 AS BIGINT) AND l.dlq_offset >= CAST(value ->> 2 AS BIGINT))`

// mark is the argument of since: topics, partitions and offsets.
func mark(offsets map[string][]int64) string {
	all := [][3]any{}
	for topic, of := range offsets {
		for partition, offset := range of {
			all = append(all, [3]any{topic, partition, offset})
		}
	}
	text, _ := json.Marshal(all) // of texts and numbers
	return string(text)
}

// deadLetters returns the dead letters of a query for their rows, those that failed last first.
func (s Tables) deadLetters(ctx context.Context, rows string, args []any) (all []view.DeadLetter, err error) {
	const query = `SELECT l."foreign", l.topic, l.partition, l."offset", dlq_partition, dlq_offset, step, class, reason, message, attempts,
  first_failed, l.last_failed, worker, l.trace, replays, l.rev, coalesce(o.id, ''), coalesce(o.status, ''), coalesce(o.rev, 0),
  coalesce(o.state_at, 0), CASE WHEN l."foreign" <> '' AND ` + isSent + ` THEN 'sent' ELSE state END, cause, l.text, notes, %s, %s
FROM (%s) page JOIN dead_letters l ON l.rowid = page.row
LEFT JOIN orders o ON l."foreign" = '' AND o.partition = l.partition AND o."offset" = l."offset" AND l.key IN ('', o.id)
LEFT JOIN decisions d ON d.seq = discarded LEFT JOIN decisions e ON e.seq = edited
ORDER BY l.last_failed DESC, l.id DESC`
	err = s.each(ctx, "dead letters", func(scan Scan) error {
		l, err := scanDeadLetter(scan)
		all = append(all, l)
		return err
	}, fmt.Sprintf(query, decisionColumns("d"), decisionColumns("e"), rows), args)
	return all, err
}

func scanDeadLetter(scan Scan) (view.DeadLetter, error) {
	var l view.DeadLetter
	var class string
	var first, last int64
	var discard, edit decisionRow
	into := []any{
		&l.Foreign, &l.Topic, &l.Origin.Partition, &l.Origin.Offset, &l.Partition, &l.Offset, &l.Step, &class, &l.Reason, &l.Message,
		&l.Attempts, &first, &last, &l.Worker, &l.Cause.Trace, &l.Replays, &l.Rev, &l.Order, &l.OrderStatus, &l.OrderRev,
		&l.OrderAt, &l.State, &l.CauseID, &l.Text, &l.Notes,
	}
	err := scan(slices.Concat(into, discard.into(), edit.into())...)
	l.Class = failure.ParseClass(class)
	l.FirstFailed, l.LastFailed = time.UnixMilli(first).UTC(), time.UnixMilli(last).UTC()
	l.Discard, l.Edit = discard.decision(), edit.decision()
	return l, err
}

// Failures implements view.Store.
func (s Tables) Failures(ctx context.Context, id string) (all []view.Failure, err error) {
	const query = `SELECT number, at, step, class, reason, message, attempts, worker, cause, dlq_partition, dlq_offset, edit
FROM failures WHERE dead_letter = ? ORDER BY number`
	err = s.each(ctx, "the failures of a dead letter", func(scan Scan) error {
		var f view.Failure
		var at int64
		var class string
		err := scan(&f.Number, &at, &f.Step, &class, &f.Reason, &f.Message, &f.Attempts, &f.Worker, &f.CauseID, &f.Partition, &f.Offset, &f.Edit)
		f.At, f.Class = time.UnixMilli(at).UTC(), failure.ParseClass(class)
		all = append(all, f)
		return err
	}, query, []any{id})
	return all, err
}

// Decisions implements view.Store.
func (s Tables) Decisions(ctx context.Context, target string) (all []wire.Decision, err error) {
	query := "SELECT " + decisionColumns("d") + " FROM decisions d WHERE target = ? ORDER BY seq"
	err = s.each(ctx, "decisions", func(scan Scan) error {
		var d decisionRow
		err := scan(d.into()...)
		all = append(all, *d.decision())
		return err
	}, query, []any{target})
	return all, err
}

// decisionColumns are those of decisionRow, of a table with a short name that may be joined from the
// left.
func decisionColumns(d string) string {
	return strings.ReplaceAll(`coalesce(d.id, ''), coalesce(d.at, 0), coalesce(d.actor, ''), coalesce(d.trace, ''), coalesce(d.kind, ''),
  coalesce(d.target, ''), coalesce(d.grouped, false), coalesce(d.text, ''), coalesce(d.version, 0), d.value`, "d.", d+".")
}

// decisionRow is a decision as its row has it.
type decisionRow struct {
	wire.Decision
	at      int64
	actor   string
	target  string
	grouped bool
}

func (d *decisionRow) into() []any {
	return []any{&d.ID, &d.at, &d.actor, &d.Cause.Trace, &d.Kind, &d.target, &d.grouped, &d.Text, &d.Version, &d.Value}
}

// decision is nil for a row that was joined and is not there.
func (d *decisionRow) decision() *wire.Decision {
	if d.ID == "" {
		return nil
	}
	d.At, d.Cause.Actor = time.UnixMilli(d.at).UTC(), actorOf(d.actor)
	if d.DeadLetter = d.target; d.grouped {
		d.DeadLetter, d.Group = "", d.target
	}
	return &d.Decision
}
