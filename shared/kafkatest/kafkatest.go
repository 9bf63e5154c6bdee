// Package kafkatest provides tests with a Kafka that has the topics of a new prefix, reads these
// topics, and injects faults.
//
// Start runs kfake in the process. Inside a testing/synctest bubble it listens on a network in
// memory, so that hours of retries take milliseconds. The files of such tests have the build tag
// synctests, with which kgo uses locks that the bubble knows. Real uses the Apache Kafka at
// ORDERS_TEST_BROKERS, for promises that kfake cannot prove.
//
// Functions that read block until the broker has answered. They neither sleep nor poll.
package kafkatest

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
)

// Partitions is the number of partitions of the topics that Start and Real create: few, so that
// orders share them.
const Partitions = 3

// Kafka is a broker with the topics of one prefix. It ends with its test.
type Kafka struct {
	Prefix  string
	Topics  topic.Set
	Client  *kgo.Client    // sends each record to the partition in the record
	Cluster *kfake.Cluster // for faults; nil with a real broker
	away    *atomic.Bool   // while it is set, connections are refused
	conns   *conns         // nil with kfake
	clocks  atomic.Pointer[clocks]
	config  kafka.Config
}

// Start runs kfake.
func Start(t testing.TB) *Kafka {
	t.Helper()
	return StartWide(t, Partitions)
}

// StartWide is Start with another number of partitions of every topic.
func StartWide(t testing.TB, partitions int) *Kafka {
	t.Helper()
	opts := []kfake.Opt{kfake.NumBrokers(1)}
	var config kafka.Config
	away, dial := new(atomic.Bool), new(net.Dialer).DialContext
	if inBubble() {
		network := new(kfake.VirtualNetwork)
		opts = append(opts, kfake.Ports(9092), kfake.ListenFn(network.Listen))
		dial = network.DialContext
	}
	config.Dial = unless(away, dial)
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatalf("starting kfake: %v", err)
	}
	t.Cleanup(cluster.Close)
	config.Brokers = cluster.ListenAddrs()
	k := connect(t, config, "orders", partitions)
	k.Cluster, k.away = cluster, away
	return k
}

// inBubble detects a synctest bubble by its clock, which starts in the year 2000: testing/synctest has
// no function for it.
func inBubble() bool { return time.Now().Year() < 2020 }

// Real uses the Apache Kafka at ORDERS_TEST_BROKERS and deletes its topics at the end. Without the
// variable it skips the test.
func Real(t testing.TB) *Kafka {
	t.Helper()
	brokers := os.Getenv("ORDERS_TEST_BROKERS")
	if brokers == "" {
		t.Skip("needs a real Kafka: start one with scripts/kafka and set ORDERS_TEST_BROKERS to its address")
	}
	return At(t, strings.Split(brokers, ",")...)
}

// At uses the brokers at these addresses and deletes its topics at the end.
func At(t testing.TB, brokers ...string) *Kafka {
	t.Helper()
	away, open := new(atomic.Bool), new(conns)
	config := kafka.Config{Brokers: brokers, Dial: unless(away, open.dial)}
	k := connect(t, config, "test-"+strings.ToLower(rand.Text()), Partitions)
	k.away, k.conns = away, open
	t.Cleanup(func() {
		// The context of the test has ended already.
		names := k.names()
		if _, err := kadm.NewClient(k.Client).DeleteTopics(context.Background(), names...); err != nil {
			t.Errorf("deleting topics %v: %v", names, err)
		}
	})
	return k
}

func connect(t testing.TB, config kafka.Config, prefix string, partitions int) *Kafka {
	t.Helper()
	k := &Kafka{Prefix: prefix, Topics: topic.Names(prefix), config: config}
	var err error
	// A record of a test may take long on a busy machine, or have a timestamp of the past, from which the client counts.
	if k.Client, err = config.Connect(t.Context(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordDeliveryTimeout(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Client.Close)
	if _, err := kafka.Create(t.Context(), k.Client, k.Topics, partitions, 0); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *Kafka) names() []string {
	var names []string
	for _, spec := range k.Topics.Specs() {
		names = append(names, spec.Name)
	}
	return names
}

// Config is the configuration with which programs under test reach the broker.
func (k *Kafka) Config() kafka.Config { return k.config }

// Produce appends each record to its topic and partition, and returns when all are acknowledged. The
// records then have their offsets.
func (k *Kafka) Produce(t testing.TB, records ...*kgo.Record) {
	t.Helper()
	if err := k.Client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatalf("producing: %v", err)
	}
}
