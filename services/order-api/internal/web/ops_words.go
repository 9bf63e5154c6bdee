package web

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/orders/services/order-api/client/system"
	"example.com/orders/shared/order"
)

// newFor is how long the first sentence tells of a change, and a worker counts as new.
const newFor = time.Minute

// Promised says whether orders are begun in time.
func (v opsPage) Promised() stateWords {
	switch p := v.Promise; {
	case p.Refusing:
		return stateWords{"dead", "New orders are refused."}
	case p.LimitSeconds == 0:
		return stateWords{"todo", "No promise is set."}
	case !p.OldestKnown:
		return stateWords{"warn", "It is not known whether the promise is kept."}
	case p.OldestAgeSeconds != nil && *p.OldestAgeSeconds > p.LimitSeconds:
		return stateWords{"dead", "The promise is not kept."}
	}
	return stateWords{"ok", "The promise is kept."}
}

// Title is that of the page, with what the first sentence says.
func (v opsPage) Title() string {
	words := strings.TrimSuffix(v.Promised().words, ".")
	return "Operations: " + strings.ToLower(words[:1]) + words[1:]
}

// Facts are the sentences that follow the first.
func (v opsPage) Facts() string {
	limit := "no limit is set"
	if v.Promise.LimitSeconds > 0 {
		limit = "the limit is " + span(v.Promise.LimitSeconds)
	}
	var text string
	switch age := v.Promise.OldestAgeSeconds; {
	case age != nil:
		text = "The oldest order not started is " + span(*age) + " old; " + limit + "."
	case v.Promise.OldestKnown && v.Stats.Blocked > 0:
		text = "No order is waiting to be started, apart from those in blocked partitions; " + limit + "."
	case v.Promise.OldestKnown:
		text = "No order is waiting to be started; " + limit + "."
	default:
		text = "The age of the oldest order not started is not known; " + limit + "."
	}
	if l := v.Latency; l != nil {
		text += " 99\u00a0% of orders are mailed within " + took(l.P99) + "."
	}
	return text
}

// Latest is the newest change if it is less than a minute old, or nil.
func (v opsPage) Latest() *system.Change {
	if len(v.Changes) > 0 && v.At.Sub(v.Changes[0].At) < newFor {
		return &v.Changes[0]
	}
	return nil
}

// Down are the dependencies that are down.
func (v opsPage) Down() (all []system.Dependency) {
	for _, d := range v.Dependencies {
		if d.State != "closed" {
			all = append(all, d)
		}
	}
	return all
}

// Live is how many workers are heard of.
func (v opsPage) Live() (n int) {
	for _, w := range v.Workers {
		if w.State == "live" {
			n++
		}
	}
	return n
}

// Behind is how long the read model is behind Kafka if a page must say so, or empty.
func (v opsPage) Behind() string {
	m := v.ReadModel
	switch {
	case m.Lag == 0:
		return ""
	case m.Fresh == nil:
		return count(int(m.Lag), "record")
	case v.At.Sub(*m.Fresh) > behindFor:
		return span(v.At.Sub(*m.Fresh).Truncate(time.Second).Seconds())
	}
	return ""
}

// Old says that it is not known whether the read model lacks records: Kafka has not told lately how far the topics go.
func (v opsPage) Old() bool {
	m := v.ReadModel
	return m.Lag == 0 && (m.Fresh == nil || v.At.Sub(*m.Fresh) > behindFor)
}

// NoJobs is what the list of jobs says without one.
func (v opsPage) NoJobs() string {
	if v.Jobs == nil {
		return "Not known."
	}
	return "None."
}

// opsStrip is what needs a person, or what the page would not explain otherwise.
type opsStrip struct {
	Kind        string
	Words, Text string
	Since       *time.Time
	To, Act     string // a link; or empty
}

// allStrips are what needs a person, first, and what goes on by itself.
func (v opsPage) allStrips() (all []opsStrip) {
	add := func(is bool, s opsStrip) {
		if is {
			all = append(all, s)
		}
	}
	add(v.Promise.Refusing, opsStrip{Kind: "dead", Words: "New orders are refused:", Text: v.refusal()})
	add(v.Unowned > 0 && v.Live() == 0, opsStrip{Kind: "dead", Words: "No worker is running:", Text: "orders are accepted, and none is worked on."})
	add(v.Unowned > 0 && v.Live() > 0, opsStrip{Kind: "dead", Words: count(v.Unowned, "partition") + " without an owner:", Text: "orders in them are not worked on until a worker takes over."})
	add(v.Stats.Blocked > 0, opsStrip{Kind: "dead", Words: count(v.Stats.Blocked, "blocked partition") + ":", Text: "orders in them are not worked on until the cause is removed. It is listed below, under the owner."})
	for _, j := range v.Jobs {
		add(j.State == "halted", opsStrip{Kind: "dead", Words: "Replay stopped by its rule:", Text: number(j.Done) + " of " + number(j.Total) + " were sent.", To: jobPath(j.ID), Act: "Open replay"})
	}
	for _, d := range v.Down() {
		add(true, opsStrip{Kind: "wait", Words: upper(d.Name) + " is down:", Text: v.waiting() + " They continue by themselves when it is back.", Since: d.Since})
	}
	add(v.Behind() != "", opsStrip{Kind: "wait", Words: "Catching up:", Text: "the read model is " + v.Behind() + " behind Kafka. Counts of orders and dead letters are those of then."})
	add(v.Orders == nil, opsStrip{Kind: "retry", Words: "The read model cannot be used:", Text: "orders and dead letters are not counted."})
	return all
}

// Strips are the first of what needs a person; More is how many others there are.
func (v opsPage) Strips() []opsStrip { all := v.allStrips(); return all[:min(len(all), maxStrips)] }

// More is how many strips are not shown.
func (v opsPage) More() int { return max(0, len(v.allStrips())-maxStrips) }

func (v opsPage) refusal() string {
	if v.Promise.Why == "blocked" {
		return "the topics are not those that this API knows. An operator must act; its log has the reason."
	}
	return "the oldest order not started is older than " + span(v.Promise.LimitSeconds) + ". They are accepted again when workers have caught up."
}

// waiting says how many orders wait for a dependency.
func (v opsPage) waiting() string {
	switch {
	case v.Orders == nil:
		return "Orders wait."
	case v.Orders.Waiting == 1:
		return "1 order waits."
	}
	return count(v.Orders.Waiting, "order") + " wait."
}

// SayRates is what the chart of rates shows now, in words.
func (v opsPage) SayRates() string {
	return fmt.Sprintf("Orders a second in the last 15 minutes. Now %s placed and %s confirmed.", perSecond(v.Rates.Placed), perSecond(v.Rates.Confirmed))
}

// SayAge is what the chart of ages shows now, in words.
func (v opsPage) SayAge() string {
	text := "Age of the oldest order not started, in the last 15 minutes. Now " + v.Oldest() + "."
	if v.Promise.LimitSeconds > 0 {
		text += " The limit is " + span(v.Promise.LimitSeconds) + "."
	}
	return text
}

// Oldest is the age of the oldest order not started, or a dash if it is not known.
func (v opsPage) Oldest() string {
	if age := v.Promise.OldestAgeSeconds; age != nil {
		return span(*age)
	}
	if !v.Promise.OldestKnown {
		return "–"
	}
	return "none"
}

// markOf is what the charts call a change.
func markOf(c system.Change) string {
	switch c.Kind {
	case "worker-joined":
		return "worker joined"
	case "worker-left":
		return "worker stopped"
	case "worker-lost":
		return "worker lost"
	case "breaker-opened":
		return c.Dependency + " down"
	case "breaker-closed":
		return c.Dependency + " up"
	case "job-began":
		return "replay"
	case "job-halted":
		return "replay stopped"
	}
	return ""
}

// changeKinds are the looks of changes.
var changeKinds = map[string]string{
	"worker-joined": "run", "worker-left": "closed", "worker-lost": "dead", "partitions-moved": "run", "breaker-opened": "wait", "breaker-closed": "ok",
	"job-began": "todo", "job-halted": "dead",
}

func changeKind(c system.Change) string { return cmp.Or(changeKinds[c.Kind], "todo") }

// numbers lists ascending numbers of partitions, with ranges.
func numbers(all []int32) string {
	var parts []string
	for i := 0; i < len(all); {
		j := i
		for j+1 < len(all) && all[j+1] == all[j]+1 {
			j++
		}
		switch {
		case j-i > 1:
			parts = append(parts, fmt.Sprintf("%d – %d", all[i], all[j]))
		case j > i:
			parts = append(parts, fmt.Sprint(all[i]), fmt.Sprint(all[j]))
		default:
			parts = append(parts, fmt.Sprint(all[i]))
		}
		i = j + 1
	}
	if last := len(parts) - 1; last > 0 {
		return strings.Join(parts[:last], ", ") + " and " + parts[last]
	}
	return strings.Join(parts, "")
}

// span is a duration in the unit that people would use.
func span(seconds float64) string {
	unit := func(n float64, name string) string {
		digits := 0
		if n < 10 && n != math.Trunc(n) {
			digits = 1
		}
		return strings.TrimSuffix(strconv.FormatFloat(n, 'f', digits, 64), ".0") + "\u00a0" + name
	}
	switch {
	case seconds < 90:
		return unit(seconds, "s")
	case seconds < 90*60:
		return unit(seconds/60, "min")
	}
	return unit(seconds/3600, "h")
}

// took is a duration that may be very short.
func took(seconds float64) string {
	if seconds < 1 {
		return strconv.FormatFloat(1000*seconds, 'f', -1, 64) + "\u00a0ms"
	}
	return span(seconds)
}

// opsTook is a row of the table of latencies: within what time 50, 95 and 99 % of orders are done.
type opsTook struct {
	Words  string
	Within [3]string
}

// Took are the whole way, and the steps. Each has a row, also while nothing is known of it.
func (v opsPage) Took() []opsTook {
	unknown := [3]string{"–", "–", "–"}
	rows := []opsTook{{"whole way", unknown}}
	for _, step := range order.Steps() {
		rows = append(rows, opsTook{string(step), unknown})
	}
	rows[1].Words = "wait, shipping" // it has no record of when it begins
	if v.Latency == nil {
		return rows
	}
	rows[0].Within = [3]string{took(v.Latency.P50), took(v.Latency.P95), took(v.Latency.P99)}
	for _, of := range v.Latency.Steps {
		if i := slices.Index(order.Steps(), order.Step(of.Step)); i >= 0 {
			rows[i+1].Within = [3]string{took(of.P50), took(of.P95), took(of.P99)}
		}
	}
	return rows
}

// Brokers says how many brokers are up.
func (v opsPage) Brokers() stateWords {
	switch k := v.Kafka; {
	case k == nil:
		return stateWords{"warn", "not known"}
	case k.Up < k.Brokers:
		return stateWords{"dead", fmt.Sprintf("%d of %s", k.Up, count(k.Brokers, "broker"))}
	default:
		return stateWords{"ok", fmt.Sprintf("%d of %s", k.Up, count(k.Brokers, "broker"))}
	}
}

// size is a number of bytes in the unit that people would use, or a dash if it is not known.
func size(bytes *int64) string {
	if bytes == nil {
		return "–"
	}
	n, units := float64(*bytes), []string{"B", "kB", "MB", "GB", "TB"}
	for n >= 1000 && len(units) > 1 {
		n, units = n/1000, units[1:]
	}
	digits := 0
	if n < 10 && units[0] != "B" {
		digits = 1
	}
	return strconv.FormatFloat(n, 'f', digits, 64) + "\u00a0" + units[0]
}

// retained is how long Kafka keeps the records of a topic.
func retained(k *system.Kept) string {
	const day = 24 * 60 * 60
	switch {
	case k == nil:
		return "–"
	case k.Seconds == 0 && k.Compacted:
		return "compacted"
	case k.Seconds == 0:
		return "for ever"
	case k.Seconds >= 2*day:
		return count(int(k.Seconds/day), "day")
	}
	return span(float64(k.Seconds))
}

// perSecond is a number of orders a second.
func perSecond(n float64) string { return strconv.FormatFloat(n, 'f', 1, 64) }

// known is a number with separators, or a dash for one that is not known.
func known(n *int64) string {
	if n == nil {
		return "–"
	}
	return number(int(*n))
}
