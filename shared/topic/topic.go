// Package topic defines the topics: their names under a prefix and their required settings.
//
// All topics of a prefix have the same number of partitions, which never changes. Records that are
// derived from an order go to the partition number of the order, so only the producer of an order
// hashes its key.
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
	Orders   string // orders and refunds, as placed
	Retry10s string // failed orders, retried 10 s after they were appended
	Retry2m  string // failed orders, retried after 2 minutes
	Waiting  string // orders waiting for a dependency that is down
	Replay   string // requests to replay a dead letter or to cancel an order
	Status   string // compacted: the state of each order after each change, and the claims of partitions
	Invoices string // issued invoices and credit notes, and void records for offsets that will never have one
	DLQ      string // dead letters
	Desk     string // compacted: the audit trail, which are the acts of operators; keys are unique, so compaction removes none
	Workers  string // compacted: what each worker is doing now; see wire.Worker
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
		Desk:     prefix + ".desk",
		Workers:  prefix + ".workers",
	}
}

// Delay is how long after it was appended a record of a topic is due. It is zero for all topics but
// Retry10s and Retry2m.
func (s Set) Delay(name string) time.Duration {
	switch name {
	case s.Retry10s:
		return 10 * time.Second
	case s.Retry2m:
		return 2 * time.Minute
	}
	return 0
}

// Partitions is the default number of partitions of a new prefix.
const Partitions = 12

// MaxOrder is the maximum size of a record of Orders in bytes. Other topics allow a quarter more,
// for what workers add.
const MaxOrder = 1 << 20

// Retention is how long Orders, the retry topics, Waiting and Replay keep a record.
const Retention = 30 * 24 * time.Hour

// Spec is the name of a topic and the settings it is created with.
type Spec struct {
	Name   string
	Config map[string]string
}

// Fault returns what a setting must be if the topic's value would break a guarantee, else "".
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

// orMore reports whether a larger value of a setting is allowed too. The record size of Orders must
// not be larger: records derived from a larger order would not fit into the other topics.
func (s Spec) orMore(setting string) bool {
	switch setting {
	case "retention.ms", "delete.retention.ms", "min.compaction.lag.ms":
		return true
	case "max.message.bytes":
		return s.Config[setting] != decimal(MaxOrder)
	}
	return false
}

// unlimited is Kafka's value for no limit.
const unlimited = "-1"

// amount parses the value of a setting. It is -1 for a value that is no number.
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

// Specs returns the specification of each topic.
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
		{s.Desk, compacted()},
		{s.Workers, present()},
	}
}

// MaxBytes is the maximum size of a record batch in a topic, in bytes. The broker refuses a larger
// batch with all records in it.
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

// kept are the settings of a topic that is not compacted. It sets retention.bytes because the
// broker's default may delete records early.
func kept(retention time.Duration, maxBytes int) map[string]string {
	return map[string]string{
		"cleanup.policy":         "delete",
		"retention.ms":           millis(retention),
		"retention.bytes":        unlimited,
		"max.message.bytes":      decimal(int64(maxBytes)),
		"message.timestamp.type": "LogAppendTime",
		// A lagging replica that becomes leader would lose acknowledged records.
		"unclean.leader.election.enable": "false",
	}
}

// compacted are the settings of a compacted topic. Kafka ignores retention.ms for such a topic, but
// kfake would delete records older than a week.
func compacted() map[string]string {
	c := kept(forever, maxDerived)
	c["cleanup.policy"] = "compact"
	c["min.compaction.lag.ms"] = millis(time.Hour)
	// A view that was stopped for less than this still reads every tombstone. After a longer time
	// it would also miss records of the other topics.
	c["delete.retention.ms"] = millis(Retention)
	return c
}

// present are the settings of the topic of the workers. Only the newest minutes of it are read. Small
// segments are compacted soon: Kafka never compacts the one that it writes to.
func present() map[string]string {
	c := compacted()
	c["segment.ms"] = millis(time.Hour)
	return c
}

func millis(d time.Duration) string { return decimal(d.Milliseconds()) }

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
