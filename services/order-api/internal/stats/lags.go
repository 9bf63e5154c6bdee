package stats

import (
	"context"
	"time"

	"example.com/orders/services/order-api/client/system"
	"example.com/orders/shared/kafka"
)

// lagsEvery is how old answers of Kafka may be: they cost a request to each broker.
const lagsEvery = 2 * time.Second

// lags is how far the topics go, and how far the workers have finished them. One goroutine at a time uses
// it.
type lags struct {
	asked   time.Time
	starts  kafka.Offsets
	ends    kafka.Offsets
	commits map[kafka.Partition]kafka.Commit // nil: not known
	brokers *system.Kafka                    // nil: not known
}

// ask takes over what Kafka answers. What it does not answer is not known.
func (l *lags) ask(ctx context.Context, cfg Config) {
	l.asked, l.starts, l.ends, l.commits, l.brokers = time.Now(), nil, nil, nil, nil
	read, others := topicNames(cfg.Topics)
	var all []kafka.Partition
	for _, name := range append(read, others...) {
		all = append(all, parts(name, cfg.Partitions)...)
	}
	// First, because one leader that does not answer can use up the time for the rest.
	if up, all, err := kafka.Brokers(ctx, cfg.Client, append(read, others...)...); err == nil {
		l.brokers = &system.Kafka{Up: up, Brokers: all}
	}
	l.starts = kafka.Starts(ctx, cfg.Client, all...)
	if cfg.Group != "" { // before the ends: a lag is never negative
		commits, err := kafka.Commits(ctx, cfg.Client, cfg.Group, all[:len(read)*cfg.Partitions]...)
		if err == nil {
			l.commits = commits
		}
	}
	l.ends = kafka.Ends(ctx, cfg.Client, all...)
}

func parts(name string, n int) (all []kafka.Partition) {
	for number := range n {
		all = append(all, kafka.Partition{Topic: name, Number: int32(number)})
	}
	return all
}

// lag is how many records of a partition the workers have not finished, or negative if it is not known.
func (l *lags) lag(p kafka.Partition) int64 {
	start, end, commit := l.starts[p], l.ends[p], l.commits[p]
	if l.ends == nil || l.commits == nil || start.Err != nil || end.Err != nil || commit.Err != nil {
		return -1
	}
	return max(0, end.At-max(start.At, commit.At))
}

// show adds the topics and partitions.
func (l *lags) show(ctx context.Context, cfg Config, s *system.Stats) {
	if time.Since(l.asked) >= lagsEvery {
		l.ask(ctx, cfg)
	}
	s.Kafka = l.brokers
	read, others := topicNames(cfg.Topics)
	for number := range cfg.Partitions {
		sum := int64(0)
		for _, name := range read {
			sum = add(sum, l.lag(kafka.Partition{Topic: name, Number: int32(number)}))
		}
		s.Partitions = append(s.Partitions, system.Partition{Number: int32(number), Lag: known(sum)})
	}
	for i, name := range append(read, others...) {
		lag, records := int64(0), int64(0)
		for _, p := range parts(name, cfg.Partitions) {
			if i >= len(read) {
				lag = -1
			}
			lag, records = add(lag, l.lag(p)), add(records, l.records(p))
		}
		s.Topics = append(s.Topics, system.Topic{Name: name, Partitions: cfg.Partitions, Records: known(records), Lag: known(lag)})
	}
}

func (l *lags) records(p kafka.Partition) int64 {
	if l.ends == nil || l.starts[p].Err != nil || l.ends[p].Err != nil {
		return -1
	}
	return l.ends[p].At - l.starts[p].At
}

// add is a sum, or negative if a part of it is not known.
func add(a, b int64) int64 {
	if a < 0 || b < 0 {
		return -1
	}
	return a + b
}
