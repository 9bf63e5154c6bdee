package view

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/orders/shared/telemetry"
)

// progress is how far the view has caught up with the topics since it was opened. A store that is
// filled again begins with 0 records; after a restart it continues where it was.
type progress struct {
	applied, total int64         // records of all topics; of blocked partitions those that were applied
	left           time.Duration // estimated; 0 while it is not known
}

// String is for people: "1,234,567 of 5,000,000 records, 25 %, 40 s to go".
func (p progress) String() string {
	text := fmt.Sprintf("%s of %s records, %d %%", thousands(p.applied), thousands(p.total), p.applied*100/max(1, p.total))
	if p.left > 0 {
		text += fmt.Sprintf(", %.0f s to go", math.Ceil(p.left.Seconds()))
	}
	return text
}

// thousands is a number that is not negative with a comma after the thousands.
func thousands(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return thousands(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

const (
	progressPeriod = 10 * time.Second // between two lines in the log
	rateOver       = 10 * time.Second // over which the rate is measured
)

// catchUp tells how far the view has caught up until it has for the first time since it was opened.
// All but text is for the goroutine of measure.
type catchUp struct {
	log   *slog.Logger
	began time.Time // zero while nothing is to be caught up with
	told  time.Time // when the last line was logged
	first int64     // records that were applied at the beginning
	marks []mark    // of the last rateOver, the oldest first

	mu  sync.Mutex
	now *progress // nil when the view has caught up, and before the first measurement
}

// mark is how many records were applied at a time.
type mark struct {
	at      time.Time
	applied int64
}

// text is the progress; empty when the view has caught up, and before the first measurement.
func (c *catchUp) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == nil {
		return ""
	}
	return c.now.String()
}

func (c *catchUp) set(p *progress) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = p
}

// measured takes over how far the topics are applied; missing is false when nothing was missing once.
func (c *catchUp) measured(ctx context.Context, now time.Time, topics []topicProgress, missing bool) {
	var p progress
	for _, t := range topics {
		p.applied, p.total = p.applied+t.applied, p.total+t.total
	}
	if !missing {
		c.end(ctx, now, p)
		return
	}
	if c.began.IsZero() || p.applied < c.first { // or it was reset
		c.began, c.told, c.first, c.marks = now, now, p.applied, []mark{{now, p.applied}}
		c.tell(ctx, "the read model catches up with Kafka", p, topics)
	}
	c.marks = append(c.marks, mark{now, p.applied})
	for now.Sub(c.marks[1].at) >= rateOver {
		c.marks = c.marks[1:]
	}
	if rate := c.rate(); rate > 0 {
		p.left = time.Duration(float64(p.total-p.applied) / rate * float64(time.Second))
	}
	c.set(&p)
	if now.Sub(c.told) >= progressPeriod {
		c.told = now
		c.tell(ctx, "the read model is catching up with Kafka", p, topics)
	}
}

func (c *catchUp) end(ctx context.Context, now time.Time, p progress) {
	c.set(nil)
	if !c.began.IsZero() {
		c.log.LogAttrs(ctx, slog.LevelInfo, "the read model has caught up with Kafka",
			slog.Int64(telemetry.Records, p.applied-c.first), slog.Duration(telemetry.Took, now.Sub(c.began)))
	}
	c.began = time.Time{}
}

// rate is in records a second, or 0 while it is not known.
func (c *catchUp) rate() float64 {
	first, last := c.marks[0], c.marks[len(c.marks)-1]
	return float64(last.applied-first.applied) / max(last.at.Sub(first.at).Seconds(), 1e-3)
}

func (c *catchUp) tell(ctx context.Context, text string, p progress, topics []topicProgress) {
	var all []string
	for _, t := range topics {
		all = append(all, fmt.Sprintf("%s %d of %d", t.name, t.applied, t.total))
	}
	c.log.LogAttrs(ctx, slog.LevelInfo, text, slog.Int64(telemetry.Records, p.applied), slog.Int64(telemetry.Total, p.total),
		slog.Int64(telemetry.Rate, int64(c.rate())), slog.Duration(telemetry.Left, p.left.Round(time.Second)),
		slog.String(telemetry.Topics, strings.Join(all, ", ")))
}

// topicProgress is how far a topic is applied: of the records that its log has.
type topicProgress struct {
	name           string
	applied, total int64
}

// progress returns how far each topic is applied, and whether something was missing ever since the
// store was opened.
func (f *freshness) progress() (topics []topicProgress, missing bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	by := map[string]topicProgress{}
	for p, end := range f.ends {
		t, applied := by[p.Topic], f.reached(p)-f.starts[p]
		t.name, t.applied = p.Topic, t.applied+applied
		if t.total += applied; f.blocked[p] == nil {
			t.total += max(0, end-f.reached(p))
		}
		by[p.Topic] = t
	}
	for _, t := range by {
		topics = append(topics, t)
	}
	slices.SortFunc(topics, func(a, b topicProgress) int { return cmp.Compare(a.name, b.name) })
	return topics, f.open && f.freshAt.IsZero()
}
