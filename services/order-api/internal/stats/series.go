package stats

import (
	"math"
	"time"

	"example.com/orders/services/order-api/client/system"
	"example.com/orders/shared/order"
)

const (
	stretch   = 5 * time.Second
	stretches = int(window/stretch) + 1 // with the one that is not over
	minute    = int(time.Minute / stretch)
	latencies = 5 * minute

	// Times are counted in buckets, each a tenth longer than the one before: 1 ms to 2 hours and more.
	buckets = 168
	growth  = 1.1
)

// series counts orders by the stretch of time in which they were placed, or confirmed. It is a ring: its
// memory is the same for any number of orders. It is not safe for concurrent use.
type series struct {
	begun int64 // the first stretch that is known as a whole
	ring  [stretches]slot
}

type slot struct {
	number            int64 // of the stretch, since 1970
	placed, confirmed int
	took              histogram
	steps             map[order.Step]*histogram
	oldest            *float64 // age in seconds of the oldest order not begun, when the stretch was looked at last
}

// histogram counts times by bucket.
type histogram [buckets]uint32

func number(at time.Time) int64 { return at.UnixMilli() / stretch.Milliseconds() }

// at returns the slot of a stretch, or nil for one that is too old, or in the future.
func (s *series) at(n int64, now time.Time) *slot {
	if last := number(now); n > last || n <= last-int64(stretches) {
		return nil
	}
	found := &s.ring[n%int64(stretches)]
	if found.number != n {
		*found = slot{number: n}
	}
	return found
}

func (s *series) placed(at, now time.Time) {
	if found := s.at(number(at), now); found != nil {
		found.placed++
	}
}

func (s *series) confirmed(at, now time.Time) {
	if found := s.at(number(at), now); found != nil {
		found.confirmed++
	}
}

// took counts how long a confirmed order took, and its steps. That is not known of one that was replayed.
func (s *series) took(at, now time.Time, took time.Duration, steps map[order.Step]Span) {
	found := s.at(number(at), now)
	if found == nil {
		return
	}
	found.took[bucket(took)]++
	for step, span := range steps {
		if found.steps == nil {
			found.steps = map[order.Step]*histogram{}
		}
		if found.steps[step] == nil {
			found.steps[step] = new(histogram)
		}
		found.steps[step][bucket(span.Took)]++
	}
}

func bucket(took time.Duration) int {
	millis := max(1, took.Seconds()*1000)
	return min(buckets-1, int(math.Ceil(math.Log(millis)/math.Log(growth))))
}

// rates are over the last minute.
func (s *series) rates(now time.Time) system.Rates {
	placed, confirmed := 0, 0
	last := number(now)
	for n := last - int64(minute) + 1; n <= last; n++ {
		if found := s.at(n, now); found != nil {
			placed, confirmed = placed+found.placed, confirmed+found.confirmed
		}
	}
	over := time.Minute - stretch + now.Sub(time.UnixMilli(last*stretch.Milliseconds()))
	return system.Rates{Placed: round(float64(placed) / over.Seconds()), Confirmed: round(float64(confirmed) / over.Seconds())}
}

// latency is over the last 5 minutes, or nil.
func (s *series) latency(now time.Time) *system.Latency {
	l := &system.Latency{Steps: []system.StepLatency{}}
	if l.Orders, l.P50, l.P95, l.P99 = s.within(now, func(found *slot) *histogram { return &found.took }); l.Orders == 0 {
		return nil
	}
	for _, step := range order.Steps() {
		of := system.StepLatency{Step: string(step)}
		if of.Orders, of.P50, of.P95, of.P99 = s.within(now, func(found *slot) *histogram { return found.steps[step] }); of.Orders > 0 {
			l.Steps = append(l.Steps, of)
		}
	}
	return l
}

// within returns how many times the histograms of the last 5 minutes have, and within how many seconds 50, 95 and 99 % of them are.
func (s *series) within(now time.Time, of func(*slot) *histogram) (total int, p50, p95, p99 float64) {
	var sum [buckets]int
	for n := number(now) - int64(latencies) + 1; n <= number(now); n++ {
		found := s.at(n, now)
		if found == nil || of(found) == nil {
			continue
		}
		for i, count := range of(found) {
			sum[i] += int(count)
			total += int(count)
		}
	}
	percentile := func(share float64) float64 {
		seen := 0
		for i, count := range sum {
			if seen += count; float64(seen) >= share*float64(total) {
				return math.Round(math.Pow(growth, float64(i))) / 1000
			}
		}
		return 0
	}
	return total, percentile(0.5), percentile(0.95), percentile(0.99)
}

// points are the stretches that are over, the oldest first.
func (s *series) points(now time.Time) []system.Point {
	all := []system.Point{}
	for n := max(s.begun, number(now)-int64(stretches)+1); n < number(now); n++ {
		found := s.at(n, now)
		all = append(all, system.Point{
			At:     time.UnixMilli((n + 1) * stretch.Milliseconds()).UTC(),
			Placed: round(float64(found.placed) / stretch.Seconds()), Confirmed: round(float64(found.confirmed) / stretch.Seconds()),
			OldestAgeSeconds: found.oldest,
		})
	}
	return all
}

// round keeps two decimals.
func round(x float64) float64 { return math.Round(100*x) / 100 }
