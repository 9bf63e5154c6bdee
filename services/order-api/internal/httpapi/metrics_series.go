package httpapi

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"example.com/orders/services/order-api/client/system"
	"example.com/orders/services/order-api/internal/jobs"
)

// scrapeWithin bounds how long one question of a scrape waits.
const scrapeWithin = 3 * time.Second

// instanceSeries are about this instance of the API: its read model, and what it has asked.
func (a *api) instanceSeries() []prometheus.Collector {
	return []prometheus.Collector{
		gauge("view_lag_records", "Records that the read model has not applied yet.", nil, func(send send) { send(float64(a.view.Health().Lag)) }),
		gauge("view_fresh_timestamp_seconds", "Unix time at which the read model was last up to date, in seconds.", nil,
			func(send send) { send(unixSeconds(a.view.Health().Fresh)) }),
		counter("stale_states_total", "Stale order states that were ignored: written by a worker after it had lost the partition.", nil,
			func(send send) { send(float64(a.view.Health().Stale)) }),
		gauge("unreadable_offset", "Offset of the unreadable batch that blocks a partition of the read model until it is skipped.", []string{"topic", "partition"},
			func(send send) {
				for _, b := range a.view.Blocked() {
					send(float64(b.Offset), b.Topic, strconv.Itoa(int(b.Partition)))
				}
			}),
		counter("vat_id_checks_total", "VAT IDs of new orders that VIES was asked about, by result.", []string{"result"}, func(send send) {
			for result, n := range a.intake.VATChecks() {
				send(float64(n), result)
			}
		}),
		gauge("foreign_expiry_timestamp_seconds",
			"Unix time at which Kafka deletes the oldest dead letter that waits in a topic of another program, at the earliest, in seconds.", []string{"topic"},
			func(send send) {
				for topic, at := range a.Expiry.Deadlines() {
					send(unixSeconds(at), topic)
				}
			}),
	}
}

// orderSeries are about the orders that are not finished.
func (a *api) orderSeries() []prometheus.Collector {
	counts := func(value func(orders int, oldest time.Time) float64) func(send) {
		return func(send send) {
			ctx, cancel := context.WithTimeout(context.Background(), scrapeWithin)
			defer cancel()
			counts, oldest, err := a.view.Counts(ctx)
			if err != nil {
				return
			}
			for status, n := range counts {
				send(value(n, oldest[status]), string(status))
			}
		}
	}
	return []prometheus.Collector{
		gauge("orders", "Orders and refunds that are not finished, by status.", []string{"status"},
			counts(func(orders int, _ time.Time) float64 { return float64(orders) })),
		gauge("oldest_order_seconds", "Time since the placement of the oldest order that is not finished, by status, in seconds; 0 without one.", []string{"status"},
			counts(func(_ int, oldest time.Time) float64 { return age(oldest) })),
		gauge("oldest_not_begun_seconds", "Time since the placement of the oldest order that no worker has begun, in seconds; 0 without one. Absent while it is not known. Blocked partitions do not count.",
			nil, func(send send) {
				if oldest := a.view.Health().Oldest; oldest.Known {
					send(age(oldest.Placed))
				}
			}),
	}
}

// systemSeries are about workers and brokers. Every instance of the API says the same: use max.
func (a *api) systemSeries() []prometheus.Collector {
	whole := func(tell func(s *system.Stats, send send)) func(send) {
		return func(send send) {
			ctx, cancel := context.WithTimeout(context.Background(), scrapeWithin)
			defer cancel()
			now := a.Stats.Now(ctx)
			tell(&now, send)
		}
	}
	return []prometheus.Collector{
		gauge("refusing", "1 while new orders are refused, by reason: backpressure, or blocked because the partition count of the topics has changed.", []string{"reason"},
			whole(func(s *system.Stats, send send) {
				for _, reason := range []string{"backpressure", "blocked"} {
					send(boolean(s.Promise.Why == reason), reason)
				}
			})),
		gauge("workers", "Workers, by state: live, or silent when a report is missing. Absent while Kafka does not answer.", []string{"state"}, whole(func(s *system.Stats, send send) {
			if !s.WorkersKnown() {
				return
			}
			counts := map[string]int{"live": 0, "silent": 0}
			for _, w := range s.Workers {
				counts[w.State]++
			}
			for state, n := range counts {
				send(float64(n), state)
			}
		})),
		gauge("partitions_without_owner", "Partitions that no worker owns. Absent while Kafka does not answer.", nil, whole(func(s *system.Stats, send send) {
			if s.WorkersKnown() {
				send(float64(s.Unowned))
			}
		})),
		gauge("topic_lag_records", "Records of a topic that the workers have not finished.", []string{"topic"}, whole(func(s *system.Stats, send send) {
			for _, t := range s.Topics {
				if t.Lag != nil {
					send(float64(*t.Lag), t.Name)
				}
			}
		})),
		gauge("kafka_brokers", "Kafka brokers that the topics need, by state: up or down.", []string{"state"}, whole(func(s *system.Stats, send send) {
			if s.Kafka != nil {
				send(float64(s.Kafka.Up), "up")
				send(float64(s.Kafka.Brokers-s.Kafka.Up), "down")
			}
		})),
	}
}

// maxJobs is of how many replay jobs the dead letters are counted: the newest that are not done.
const maxJobs = 20

// replaySeries are about the replay jobs that are not done.
func (a *api) replaySeries() []prometheus.Collector {
	unfinished := func(tell func(all []jobs.Progress, send send)) func(send) {
		return func(send send) {
			ctx, cancel := context.WithTimeout(context.Background(), scrapeWithin)
			defer cancel()
			if all, err := a.Jobs.Unfinished(ctx, maxJobs); err == nil {
				tell(all, send)
			}
		}
	}
	return []prometheus.Collector{
		gauge("replay_jobs", "Replay jobs that are not done or cancelled, by phase.", []string{"phase"}, unfinished(func(all []jobs.Progress, send send) {
			counts := map[jobs.Phase]int{jobs.Ramping: 0, jobs.Running: 0, jobs.Waiting: 0, jobs.Stalled: 0, jobs.Paused: 0, jobs.Halted: 0}
			for _, p := range all {
				counts[p.Phase]++
			}
			for phase, n := range counts {
				send(float64(n), string(phase))
			}
		})),
		gauge("replay_dead_letters", "Dead letters of the newest replay jobs that are not done, by outcome: not-sent, skipped, or what became of the replay.",
			[]string{"outcome"}, unfinished(func(all []jobs.Progress, send send) {
				counts := map[string]int{"not-sent": 0, "skipped": 0, "confirmed": 0, "failed-again": 0}
				for _, p := range all {
					counts["not-sent"] += p.NotSent
					counts["skipped"] += p.Cursor - p.Sent
					for outcome, n := range p.Counts {
						counts[string(outcome)] += n
					}
				}
				for outcome, n := range counts {
					send(float64(n), outcome)
				}
			})),
	}
}
