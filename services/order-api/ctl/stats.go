package ctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/client/system"
)

type showStats struct {
	Watch bool `help:"Show it again when something changes, at most once a second, until Ctrl-C."`
}

// Run shows the system.
func (c *showStats) Run(ctx context.Context, p *printer, api *client.Client) error {
	if !c.Watch {
		s, err := api.Stats(ctx)
		if err != nil {
			return explain(err)
		}
		return p.stats(s)
	}
	for s, err := range api.WatchStats(ctx) {
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			return explain(err)
		}
		if !p.json && p.columns > 0 {
			fmt.Fprint(p.out, "\x1b[H\x1b[2J") // the top of an empty screen
		}
		if err := p.stats(s); err != nil {
			return err
		}
	}
	return nil
}

// stats prints the system in lines that fit the terminal, or as JSON.
func (p *printer) stats(s system.Stats) error {
	if p.json {
		return p.result("", s)
	}
	for _, line := range statsLines(s) {
		if p.columns > 0 {
			line = runewidth.Truncate(oneLine(line), p.columns, "…")
		}
		if err := p.result(line, nil); err != nil {
			return err
		}
	}
	return nil
}

func statsLines(s system.Stats) []string {
	lines := []string{
		"promise     " + promiseText(s.Promise),
		"rates       " + ratesText(s.Rates),
	}
	lines = append(append(lines, latencyTexts(s)...),
		"orders      "+inFlightText(s)+ordersText(s),
		"partitions  "+ownedText(s),
		"kafka       "+kafkaText(s),
	)
	for _, d := range s.Dependencies {
		lines = append(lines, "dependency  "+dependencyText(d, s.At))
	}
	for _, w := range s.Workers {
		lines = append(lines, fmt.Sprintf("worker      %s  %s/%d %s  %s, %d in flight, lease %.1f s, partitions %s",
			shortID(w.ID), oneLine(w.Host), w.PID, oneLine(w.Version), w.State, w.InFlight, w.LeaseSeconds, partitionsText(w, s.Partitions)))
	}
	for _, j := range s.Jobs {
		lines = append(lines, fmt.Sprintf("job         %s  %s %s, %d of %d", j.ID, j.Kind, j.State, j.Done, j.Total))
	}
	for i, c := range s.Changes {
		if i == shownChanges {
			break
		}
		lines = append(lines, "change      "+changeText(c))
	}
	return lines
}

const shownChanges = 10

func promiseText(p system.Promise) string {
	text := "the age of the oldest order that is not begun is not known"
	if p.OldestKnown {
		text = "no order waits to be begun"
	}
	if p.OldestAgeSeconds != nil {
		text = fmt.Sprintf("the oldest order that is not begun is %s old", seconds(*p.OldestAgeSeconds))
	}
	if p.LimitSeconds > 0 {
		text += "; the limit is " + seconds(p.LimitSeconds)
	}
	if p.Refusing {
		text += "; new orders are refused: " + p.Why
	}
	return text
}

func ratesText(r *system.Rates) string {
	if r == nil {
		return "not known"
	}
	return fmt.Sprintf("%.1f placed, %.1f confirmed a second", r.Placed, r.Confirmed)
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond).String()
}

func kafkaText(s system.Stats) string {
	switch {
	case s.Kafka != nil:
		return fmt.Sprintf("%d of %d brokers are up", s.Kafka.Up, s.Kafka.Brokers)
	case s.WorkersKnown():
		return "does not answer: partitions and workers are those of before"
	}
	return "does not answer"
}

func latencyTexts(s system.Stats) []string {
	l := s.Latency
	switch {
	case l == nil && s.Kafka == nil:
		return []string{"latency     not known"}
	case l == nil:
		return []string{"latency     no order was mailed in the last 5 minutes"}
	}
	within := func(what string, all ...float64) string {
		var texts []any
		for _, s := range all {
			texts = append(texts, time.Duration(s*float64(time.Second)).Round(time.Millisecond).String())
		}
		return "latency     " + what + fmt.Sprintf(": 50%% within %s, 95%% %s, 99%% %s", texts...)
	}
	lines := []string{within("placed to mailed", l.P50, l.P95, l.P99)}
	for _, s := range l.Steps {
		lines = append(lines, within(oneLine(s.Step), s.P50, s.P95, s.P99))
	}
	return lines
}

func inFlightText(s system.Stats) string {
	if !s.WorkersKnown() {
		return "in flight not known"
	}
	return fmt.Sprintf("%d of %d in flight", s.InFlight, s.Slots)
}

func ownedText(s system.Stats) string {
	if !s.WorkersKnown() {
		return fmt.Sprintf("%d, owners not known", len(s.Partitions))
	}
	return fmt.Sprintf("%d, %d without an owner, %d blocked", len(s.Partitions), s.Unowned, s.Blocked)
}

func ordersText(s system.Stats) string {
	if s.Orders == nil || s.DeadLetters == nil {
		return "; orders, dead letters and replay jobs are not known: the read model cannot be used now"
	}
	o := s.Orders
	return fmt.Sprintf(", %d not begun, %d retrying, %d waiting, %d dead; dead letters %d open, %d uncertain",
		o.Accepted, o.Retrying, o.Waiting, o.Dead, s.DeadLetters.Open, s.DeadLetters.Uncertain)
}

func dependencyText(d system.Dependency, now time.Time) string {
	text := oneLine(d.Name) + ": circuit breaker " + d.State
	if d.Since != nil {
		text += " for " + seconds(now.Sub(*d.Since).Seconds())
	}
	if d.Down > 0 {
		text += fmt.Sprintf(" in %d of %d workers: %s", d.Down, d.Workers, d.Reason)
	}
	if d.NextProbe != nil {
		text += ", next probe in " + seconds(max(0, d.NextProbe.Sub(now).Seconds()))
	}
	return text
}

// partitionsText lists the partitions of a worker, with the state of those that do not run.
func partitionsText(w system.Worker, all []system.Partition) string {
	var texts []string
	for _, number := range w.Partitions {
		text := fmt.Sprint(number)
		for _, p := range all {
			if p.Number == number && p.State != nil && *p.Owner == w.ID && *p.State != "running" {
				text += " " + oneLine(*p.State)
			}
		}
		texts = append(texts, text)
	}
	if texts == nil {
		return "none"
	}
	return strings.Join(texts, ", ")
}

func changeText(c system.Change) string {
	about := []string{instant(c.At), c.Kind}
	if c.Worker != "" {
		about = append(about, shortID(c.Worker))
	}
	if len(c.Partitions) > 0 {
		about = append(about, strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Partitions), " ", ", "), "[]"))
	}
	return strings.Join(append(about, drop([]string{oneLine(c.Dependency), c.Job, oneLine(c.Reason)}, "")...), " ")
}

// shortID is the beginning of the ID of a worker: enough to tell those of one group apart.
func shortID(id string) string { return id[:min(len(id), len("wrk_123456"))] }
