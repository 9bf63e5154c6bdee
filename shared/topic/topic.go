// Package topic is the one table of topics: their names under a prefix, and the settings each must have.
//
// All topics of a prefix have the same number of partitions, fixed for the life of the prefix: everything derived from
// a record goes to the partition number of its origin, and nobody hashes a second time.
package topic

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Set holds the topic names of one prefix.
type Set struct {
	Orders   string // orders as placed, refunds: the queue
	Retry10s string // orders whose attempt failed: due 10 s after they were appended
	Retry2m  string // the same, due after 2 minutes
	Waiting  string // orders that need a dependency which is down: due when it is back
	Replay   string // what the owner of an order is asked: letters that are sent back, cancels
	Status   string // after each change the whole state of an order, and the owners' claims
	Invoices string // issued invoices and credit notes, and void records for offsets of Orders that will never have one
	DLQ      string // letters
}

// Names returns the topic names of a prefix, such as "orders".
func Names(prefix string) Set {
	return Set{
		Orders:   prefix,
		Retry10s: prefix + ".retry.10s",
		Retry2m:  prefix + ".retry.2m",
		Waiting:  prefix + ".waiting",
		Replay:   prefix + ".replay",
		Status:   prefix + ".status",
		Invoices: prefix + ".invoices",
		DLQ:      prefix + ".dlq",
	}
}

// Delay is how long after its appending a record of a topic is due; zero for all but the topics of retries.
func (s Set) Delay(name string) time.Duration {
	switch name {
	case s.Retry10s:
		return 10 * time.Second
	case s.Retry2m:
		return 2 * time.Minute
	}
	return 0
}

// Partitions is the number of partitions of a new prefix.
const Partitions = 12

// MaxOrder is the size in bytes that a record of Orders may have. Derived topics allow a quarter more, for what the workers add.
const MaxOrder = 1 << 20

// Retention is how long the topics that are queues keep a record, finished or not.
const Retention = 30 * 24 * time.Hour

// Spec says what a topic is called and how the broker must keep it: Config has the settings of a new topic.
type Spec struct {
	Name   string
	Config map[string]string
}

// Fault says what a setting of Config must be when the value that a topic has would break a promise; else it is empty.
func (s Spec) Fault(setting, value string) string {
	want := s.Config[setting]
	switch {
	case value == want:
		return ""
	case !s.orMore(setting) || want == unlimited:
		return fmt.Sprintf("must be %q", want)
	case amount(value) < amount(want):
		return fmt.Sprintf("must be at least %q", want)
	}
	return ""
}

// orMore reports whether a larger value of a setting keeps the promises as well. The size of an order is not such a setting:
// what the workers derive from a larger order would not fit into their topics.
func (s Spec) orMore(setting string) bool {
	switch setting {
	case "retention.ms", "delete.retention.ms", "min.compaction.lag.ms":
		return true
	case "max.message.bytes":
		return s.Config[setting] != decimal(MaxOrder)
	}
	return false
}

// unlimited is how Kafka writes that there is no limit.
const unlimited = "-1"

// amount is the number that a setting stands for, or -1 if it is none.
func amount(value string) int64 {
	if value == unlimited {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// Specs returns the table, one row a topic.
func (s Set) Specs() []Spec {
	return []Spec{
		{s.Orders, kept(Retention, MaxOrder)},
		{s.Retry10s, kept(Retention, maxDerived)},
		{s.Retry2m, kept(Retention, maxDerived)},
		{s.Waiting, kept(Retention, maxDerived)},
		{s.Replay, kept(Retention, maxDerived)},
		{s.Status, compacted()},
		{s.Invoices, kept(forever, maxDerived)},
		{s.DLQ, kept(forever, maxDerived)},
	}
}

// MaxBytes is how large a batch of records may be in the topic of a name: the broker refuses a larger one whole, with
// every order in it.
func MaxBytes(name string) int {
	for i, c := range name {
		if c == '.' && slices.ContainsFunc(Names(name[:i]).Specs()[1:], func(s Spec) bool { return s.Name == name }) {
			return maxDerived
		}
	}
	return MaxOrder
}

const (
	maxDerived = MaxOrder + MaxOrder/4
	forever    = -time.Millisecond
)

// kept sets retention.bytes, because a broker may have a default that deletes what must stay.
func kept(retention time.Duration, maxBytes int) map[string]string {
	return map[string]string{
		"cleanup.policy":         "delete",
		"retention.ms":           millis(retention),
		"retention.bytes":        unlimited,
		"max.message.bytes":      decimal(int64(maxBytes)),
		"message.timestamp.type": "LogAppendTime",
		// A replica that lags and becomes the leader takes acknowledged records away.
		"unclean.leader.election.enable": "false",
	}
}

// compacted sets retention.ms although Kafka ignores it for a compacted topic: kfake does not, and would lose every state older than a week.
func compacted() map[string]string {
	c := kept(forever, maxDerived)
	c["cleanup.policy"] = "compact"
	c["min.compaction.lag.ms"] = millis(time.Hour)
	// A view that was away for less than this, and goes on where it stopped, still reads every tombstone. After a longer time
	// it would miss records of the queues as well.
	c["delete.retention.ms"] = millis(Retention)
	return c
}

func millis(d time.Duration) string { return decimal(d.Milliseconds()) }

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
