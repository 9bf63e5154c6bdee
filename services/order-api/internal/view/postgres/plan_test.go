package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/storetest"
	"example.com/orders/services/order-api/internal/view/tables"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

const (
	manyOrders      = 6_000
	manyDeadLetters = 4_000
	// small is the most rows of a table that may be read as a whole.
	small = 1_000
	// near is the most rows that a step of a query may read, or sort, for a page of 51: as many as are looked up one by one.
	near = 2_100
)

// recorder notes the queries that it runs.
type recorder struct {
	*database
	asked []asked
}

type asked struct {
	query string
	args  []any
}

func (r *recorder) Each(ctx context.Context, row func(tables.Scan) error, query string, args ...any) error {
	r.asked = append(r.asked, asked{query, args})
	return r.database.Each(ctx, row, query, args...)
}

// step is a step of a plan, as EXPLAIN (ANALYZE, FORMAT JSON) has it.
type step struct {
	Type    string  `json:"Node Type"`
	Table   string  `json:"Relation Name"`
	Index   string  `json:"Index Name"`
	Rows    float64 `json:"Actual Rows"`
	Removed float64 `json:"Rows Removed by Filter"`
	Loops   float64 `json:"Actual Loops"`
	Plans   []step
}

// all are a step and those below it.
func (s step) all() []step {
	found := []step{s}
	for _, below := range s.Plans {
		found = append(found, below.all()...)
	}
	return found
}

func (s step) String() string {
	return fmt.Sprintf("%s %s %s: %.0f rows and %.0f that do not match, %.0f times", s.Type, s.Table, s.Index, s.Rows, s.Removed, s.Loops)
}

// plans explains statements. It is for one goroutine.
type plans struct {
	conn  *pgx.Conn
	large map[string]bool // tables
	done  map[string]bool // statements with their arguments
}

// explain returns the steps of a statement. Like a Store, it prepares it, and runs it often enough that the server decides
// between a plan for these arguments and one for any.
func (p plans) explain(t *testing.T, options string, a asked) []step {
	t.Helper()
	key := fmt.Sprint(a.query, a.args)
	if p.done[key] {
		return nil
	}
	p.done[key] = true
	_, err := p.conn.Prepare(t.Context(), "explained", translate(a.query))
	must(t, err)
	places := []string{}
	for i := range p.parameters(t) {
		places = append(places, fmt.Sprintf("$%d", i+1))
	}
	run := "EXECUTE explained"
	if len(places) > 0 {
		run += "(" + strings.Join(places, ", ") + ")"
	}
	args := append([]any{pgx.QueryExecModeSimpleProtocol}, storable(a.args)...)
	if options != "" {
		for range 6 {
			_, err := p.conn.Exec(t.Context(), run, args...)
			must(t, err)
		}
	}
	var text string
	must(t, p.conn.QueryRow(t.Context(), "EXPLAIN ("+options+"FORMAT JSON) "+run, args...).Scan(&text))
	must(t, p.conn.Deallocate(t.Context(), "explained"))
	var found []struct{ Plan step }
	must(t, json.Unmarshal([]byte(text), &found))
	return found[0].Plan.all()
}

// parameters is how many the statement has that is explained.
func (p plans) parameters(t *testing.T) (n int) {
	t.Helper()
	must(t, p.conn.QueryRow(t.Context(), "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'explained'").Scan(&n))
	return n
}

// explained is a store with many rows in each table that a page is read from, and what explains its queries.
func explained(t *testing.T) (*Store, plans) {
	t.Helper()
	url := storetest.StartPostgres(t).Database(t)
	s := open(t, url)
	t.Cleanup(func() { must(t, s.Close()) })
	must(t, s.Reset(t.Context(), topics()))
	var b view.Batch
	for i := range manyOrders {
		b.Changes = append(b.Changes, view.Changed{Row: sampleOrder(i)})
	}
	for i := range manyDeadLetters {
		b.Changes = append(b.Changes, sampleDeadLetter(i), sampleAct(i))
	}
	must(t, s.Apply(t.Context(), b))
	conn, err := pgx.ConnectConfig(t.Context(), s.db.Config().ConnConfig)
	must(t, err)
	t.Cleanup(func() { must(t, conn.Close(context.WithoutCancel(t.Context()))) })
	// Statistics of all rows, so that the plans are the same in each run.
	for _, statement := range []string{"SET default_statistics_target = 1000", "VACUUM ANALYZE"} {
		_, err := conn.Exec(t.Context(), statement)
		must(t, err)
	}
	p := plans{conn, map[string]bool{}, map[string]bool{}}
	rows, err := conn.Query(t.Context(), "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > $1", small)
	must(t, each(rows, err, func(scan tables.Scan) error {
		var name string
		err := scan(&name)
		p.large[name] = true
		return err
	}))
	return s, p
}

// sampleOrder is a confirmed order, or the refund of one, which is every tenth. It has words that all have, that few have, and
// that no other has.
func sampleOrder(i int) view.Row {
	o := view.Row{
		ID: order.ID(fmt.Sprintf("ord_%06d", i)), Partition: int32(i % 12), Offset: int64(i), PlacedAt: time.UnixMilli(int64(i)), Begun: true, Rev: 3,
		Status: order.Confirmed, Value: make([]byte, 1_800), Words: []string{"customer", fmt.Sprint(i), "example", "com", fmt.Sprint("first", i%100), fmt.Sprint("last", i/100%100)},
	}
	if i%10 == 9 {
		o.RefundOf = order.ID(fmt.Sprintf("ord_%06d", i-9))
	}
	if i%7 < 2 {
		o.Owner = order.Actor{Kind: order.ActorCustomer, ID: fmt.Sprint(i % 70)}
	}
	if i%100 < 90 {
		o.Reference = fmt.Sprint("2026-", i/20)
	}
	if i%4 == 0 && i < manyDeadLetters {
		o.Status = order.Dead
	}
	if i > manyOrders-100 {
		o.Status, o.Begun = order.Accepted, false
	}
	return o
}

// sampleDeadLetter is that of the sample order, or one of another program.
func sampleDeadLetter(i int) view.Failed {
	o := sampleOrder(i)
	l := view.Failed{Partition: o.Partition, Offset: o.Offset, CauseID: fmt.Sprint("cause_", i%7), Text: "order …: no route"}
	l.Key, l.Origin, l.Rev = []byte(o.ID), order.Origin{Partition: o.Partition, Offset: o.Offset}, 1
	l.Step, l.Class, l.Reason, l.Message = order.StepShipping, failure.Permanent, failure.NoRoute, fmt.Sprintf("no route for order %d %0800d", i, 0)
	if i%2 == 1 {
		l.Step, l.Reason = order.StepEmail, failure.RecipientRefused
	}
	if i%3 == 0 {
		l.Foreign, l.Topic, l.Origin = "billing.dlq", "billing", order.Origin{}
	}
	l.FirstFailed, l.LastFailed = time.UnixMilli(int64(i)), time.UnixMilli(int64(i))
	l.Words = []string{"order", fmt.Sprint(i), "example", "com", fmt.Sprint("name", i%500)}
	return l
}

func sampleAct(i int) view.Acted {
	a := wire.Act{ID: fmt.Sprintf("act_%06d", i), At: time.UnixMilli(int64(i)), Kind: "replay", Target: fmt.Sprint("order/ord_", i/3), Outcome: wire.Done}
	a.Cause.Actor = order.Actor{Kind: order.ActorOperator, ID: fmt.Sprint("ann", i%5)}
	if i%50 == 0 {
		a.Kind, a.Outcome = "cancel", wire.Refused
	}
	return view.Acted{Act: a}
}

func TestIndexesAnswerAndStore(t *testing.T) {
	t.Parallel()
	s, p := explained(t)
	t.Run("no page reads or sorts a table", func(t *testing.T) {
		for _, q := range slices.Concat(listsOfOrders(t), searches(t), listsOfDeadLetters(t), listsOfActs(t), singleQuestions(t)) {
			p.answers(t, s, q)
		}
	})
	t.Run("no change reads a table", func(t *testing.T) {
		// A writer has plans for any arguments.
		_, err := p.conn.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan")
		must(t, err)
		p.stores(t, s)
	})
}

// answers asks a question, and looks at how much is read for it.
func (p plans) answers(t *testing.T, s *Store, q question) {
	t.Helper()
	r := &recorder{database: s.db}
	must(t, q.ask(tables.New(func(do func(tables.Reader) error) error { return do(r) })))
	for _, a := range r.asked {
		most := float64(near)
		if n := len(a.args); n > 0 {
			if limit, ok := a.args[n-1].(int); ok {
				most = max(most, float64(limit))
			}
		}
		for _, step := range p.explain(t, "ANALYZE, TIMING OFF, ", a) {
			whole := step.Type == "Seq Scan" && p.large[step.Table]
			scans := step.Table != "" || step.Index != "" || strings.HasSuffix(step.Type, "Sort")
			if whole || scans && (step.Rows+step.Removed)*step.Loops > most {
				t.Errorf("%s: step %q of %s, args %v", q.name, step, translate(a.query), a.args)
			}
		}
	}
}

// question is one that the API asks a store.
type question struct {
	name string
	ask  func(tables.Tables) error
}

func listsOfOrders(t *testing.T) (all []question) {
	at := func(n int64) time.Time { return time.UnixMilli(n) }
	for i := range 1 << 2 {
		for _, status := range []order.Status{"", order.Confirmed, order.Accepted, order.Cancelled} {
			for _, page := range []struct {
				view.Filter
				after view.Cursor
			}{{}, {Filter: view.Filter{From: at(5), To: at(900)}}, {Filter: view.Filter{Reference: "2026-7"}}, {after: view.Cursor{At: at(3_000), ID: "ord_003000"}}} {
				f := page.Filter
				f.Refunds, f.Status, f.Limit = i&1 != 0, status, 51
				if i&2 != 0 {
					f.Owner = order.Actor{Kind: order.ActorCustomer, ID: "1"}
				}
				all = append(all, listOfOrders(t, f, nil, page.after))
			}
		}
	}
	return all
}

// searches have a rare word, words of which few orders have both, and words that all orders have.
func searches(t *testing.T) (all []question) {
	for _, words := range [][]string{{"customer", "777"}, {"first1", "last2"}, {"example", "com"}} {
		for _, f := range []view.Filter{{}, {Refunds: true}, {Status: order.Confirmed}, {Owner: order.Actor{Kind: order.ActorCustomer, ID: "1"}}} {
			f.Limit = 51
			all = append(all, listOfOrders(t, f, words, view.Cursor{}))
		}
	}
	return all
}

func listOfOrders(t *testing.T, f view.Filter, words []string, after view.Cursor) question {
	return question{fmt.Sprintf("orders %+v %q %v", f, words, after), func(q tables.Tables) error {
		_, err := q.Orders(t.Context(), f, words, after)
		return err
	}}
}

// pairs are the sets of at most two of n, as bits.
func pairs(n int) (all []uint) {
	for set := range uint(1) << n {
		if bits.OnesCount(set) <= 2 {
			all = append(all, set)
		}
	}
	return all
}

func listsOfDeadLetters(t *testing.T) (all []question) {
	class := failure.Permanent
	for _, some := range pairs(8) {
		f := view.DeadLetterFilter{Limit: 51}
		var after view.Cursor
		var words []string
		for i, set := range []func(){
			func() { f.Class = &class },
			func() { f.Topic = view.Ours },
			func() { f.Step, f.Reason = order.StepEmail, failure.RecipientRefused },
			func() { f.Cause = "cause_1" },
			func() { f.States = []view.DeadLetterState{view.Open, view.Lost} },
			func() { f.From, f.To = time.UnixMilli(5), time.UnixMilli(900) },
			func() { after = view.Cursor{At: time.UnixMilli(2_000), ID: "1-1"} },
			func() { words = []string{"name499"} },
		} {
			if some&(1<<i) != 0 {
				set()
			}
		}
		name := fmt.Sprintf("%+v %q %v", f, words, after)
		all = append(all, question{"dead letters " + name, func(q tables.Tables) error {
			_, err := q.DeadLetters(t.Context(), f, words, after)
			return err
		}}, question{"IDs of dead letters " + name, func(q tables.Tables) error {
			_, err := q.Select(t.Context(), f, words, after)
			return err
		}})
	}
	return all
}

func listsOfActs(t *testing.T) (all []question) {
	for _, some := range pairs(6) {
		f := view.ActFilter{Limit: 51}
		var after view.Cursor
		for i, set := range []func(){
			func() { f.Outcome = wire.Refused },
			func() { f.Kind = "cancel" },
			func() { f.Actor = "operator:ann1" },
			func() { f.Target = "order/ord_1" },
			func() { f.From, f.To = time.UnixMilli(5), time.UnixMilli(900) },
			func() { after = view.Cursor{At: time.UnixMilli(700), ID: "act_1"} },
		} {
			if some&(1<<i) != 0 {
				set()
			}
		}
		all = append(all, question{fmt.Sprintf("acts %+v %v", f, after), func(q tables.Tables) error {
			_, err := q.Acts(t.Context(), f, after)
			return err
		}})
	}
	return all
}

// singleQuestions are those about one order, dead letter or job, and those that are asked again and again.
func singleQuestions(t *testing.T) []question {
	ctx := t.Context()
	marks := map[string][]int64{"": slices.Repeat([]int64{manyDeadLetters - 50}, 12)}
	return []question{
		{"order", func(q tables.Tables) error { _, err := q.Order(ctx, "ord_000007"); return err }},
		{"refunds", func(q tables.Tables) error { _, err := q.Refunds(ctx, "ord_000010"); return err }},
		{"accepted orders", func(q tables.Tables) error { _, _, err := q.Count(ctx, order.Accepted); return err }},
		{"confirmed orders", func(q tables.Tables) error { _, _, err := q.Count(ctx, order.Confirmed); return err }},
		{"oldest", func(q tables.Tables) error { _, err := q.Oldest(ctx, 3, 5, time.UnixMilli(5)); return err }},
		{"dead letters by ID", func(q tables.Tables) error { _, err := q.DeadLettersByID(ctx, []string{"1-1", "2-2"}); return err }},
		{"new dead letters", func(q tables.Tables) error {
			_, err := q.DeadLetters(ctx, view.DeadLetterFilter{Since: marks, Limit: 51}, nil, view.Cursor{})
			return err
		}},
		{"touched", func(q tables.Tables) error { _, err := q.Touched(ctx, "billing.dlq", 3, 5, 500); return err }},
		{"sent on", func(q tables.Tables) error { _, err := q.SentOn(ctx, "billing.dlq", 3, 5, 500); return err }},
		{"sources", func(q tables.Tables) error { _, err := q.Sources(ctx, []string{"1-1", "2-2"}); return err }},
		{"orders of a cause", func(q tables.Tables) error { _, err := q.CauseOrders(ctx, "cause_1", 1_000); return err }},
		{"causes", func(q tables.Tables) error {
			_, err := q.Groups(ctx, view.DeadLetterFilter{}, nil, time.UnixMilli(0))
			return err
		}},
		{"causes of a state", func(q tables.Tables) error {
			_, err := q.Groups(ctx, view.DeadLetterFilter{States: view.Unsettled(), Step: order.StepEmail}, nil, time.UnixMilli(0))
			return err
		}},
		{"failures", func(q tables.Tables) error { _, err := q.Failures(ctx, "1-1"); return err }},
		{"decisions", func(q tables.Tables) error { _, err := q.Decisions(ctx, "1-1"); return err }},
	}
}

// explainer is a transaction that notes which tables its statements read as a whole, if those are large.
type explainer struct {
	*transaction
	t     *testing.T
	plans plans
	done  map[string]bool
}

func (e *explainer) check(statement string, args []any) {
	if e.done[statement] {
		return
	}
	e.done[statement] = true
	for _, step := range e.plans.explain(e.t, "", asked{statement, args}) {
		if step.Type == "Seq Scan" && e.plans.large[step.Table] {
			e.t.Errorf("all of %s is read by %s", step.Table, translate(statement))
		}
	}
}

func (e *explainer) Exec(ctx context.Context, statement string, args ...any) error {
	e.check(statement, args)
	return e.transaction.Exec(ctx, statement, args...)
}

func (e *explainer) Scan(ctx context.Context, statement string, args []any, into ...any) (bool, error) {
	e.check(statement, args)
	return e.transaction.Scan(ctx, statement, args, into...)
}

func (e *explainer) Each(ctx context.Context, row func(tables.Scan) error, query string, args ...any) error {
	e.check(query, args)
	return e.transaction.Each(ctx, row, query, args...)
}

// stores makes each kind of change, and looks at what is read for it.
func (p plans) stores(t *testing.T, s *Store) {
	t.Helper()
	head := wire.JobHead{ID: "job_1", At: time.UnixMilli(1)}
	moved := sampleOrder(8)
	moved.Offset = 7_777_777
	b := view.Batch{Positions: map[kafka.Partition]view.Position{{Topic: "orders.status"}: {Next: 2}}, Changes: []view.Change{
		view.Placed{Row: sampleOrder(manyOrders)},
		view.Changed{Row: sampleOrder(4)},
		view.Changed{Row: moved},
		sampleDeadLetter(4),
		view.Erased{ID: "ord_000012", At: time.UnixMilli(99), Partition: 0},
		sampleAct(1),
		view.Decided{Decision: wire.Decision{ID: "act_1", DeadLetter: "1-1", Kind: wire.Edit, Version: 1, At: time.UnixMilli(1)}},
		view.Answered{Origin: order.Origin{Partition: 1, Offset: 1}, Number: 1, Outcome: view.Confirmed, Rev: 2, At: time.UnixMilli(1)},
		view.JobDefined{Job: wire.Job{JobHead: head, Kind: wire.JobReplay, Total: 2, Chunks: 1}},
		view.JobSelected{JobChunk: wire.JobChunk{JobHead: head, IDs: []string{"1-1", "2-2"}}},
		view.JobAdvanced{JobBatch: wire.JobBatch{JobHead: head, From: 0, To: 1, Numbers: []int{1}}},
		view.Forecasted{Forecast: wire.Forecast{Job: "job_1", DeadLetter: "1-1", At: time.UnixMilli(1)}},
	}}
	must(t, s.db.change(t.Context(), func(tx *transaction) error {
		e := &explainer{tx, t, p, map[string]bool{}}
		if err := tables.Apply(t.Context(), e, b); err != nil {
			return err
		}
		return tables.Trim(t.Context(), e, "billing.dlq", 3, 5)
	}))
}
