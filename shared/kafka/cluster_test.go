package kafka_test

import (
	"context"
	"crypto/rand"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/securetest"
	"example.com/orders/shared/topic"
)

// TestABrokerThatIsDownCounts asks a cluster of three brokers, and then one that misses a broker and keeps its replicas.
func TestABrokerThatIsDownCounts(t *testing.T) {
	t.Parallel()
	cluster, cl := brokers(t, kfake.NumBrokers(3), kfake.SeedTopics(3, "orders"))
	want := func(wantUp, wantAll int) {
		t.Helper()
		if up, all, err := kafka.Brokers(t.Context(), cl, "orders"); up != wantUp || all != wantAll || err != nil {
			t.Errorf("got %d of %d brokers, %v; want %d of %d", up, all, err, wantUp, wantAll)
		}
	}
	want(3, 3)
	cluster.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		answer := r.ResponseKind().(*kmsg.MetadataResponse)
		for id, addr := range cluster.ListenAddrs()[:2] {
			host, port, _ := net.SplitHostPort(addr)
			n, _ := strconv.Atoi(port)
			answer.Brokers = append(answer.Brokers, kmsg.MetadataResponseBroker{NodeID: int32(id), Host: host, Port: int32(n)})
		}
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Replicas, p.OfflineReplicas = []int32{0, 1, 2}, []int32{2}
		answer.Topics = []kmsg.MetadataResponseTopic{{Topic: kmsg.StringPtr("orders"), Partitions: []kmsg.MetadataResponseTopicPartition{p}}}
		return answer, nil, true
	})
	want(2, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := kafka.Brokers(ctx, cl, "orders"); err == nil {
		t.Error("got no error of a request that was not sent")
	}
}

// TestSizesAndRetentionsAreThoseOfTheBrokers asks with the permissions of order-api, and without that on the cluster.
func TestSizesAndRetentionsAreThoseOfTheBrokers(t *testing.T) {
	t.Parallel()
	set := topic.Names("orders")
	k := securetest.Start(t, securetest.Config{Users: []string{"api"}})
	k.Allow(t, securetest.ACLs(t, acls, "orders", "order-workers")...)
	config := kafka.Config{Brokers: k.Brokers, Security: kafka.Security{SASL: "plain", User: "api", Password: securetest.PasswordOf("api")}}
	cl, err := config.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	layout, err := kafka.Check(t.Context(), cl, set)
	if err != nil {
		t.Fatal(err)
	}
	before := kafka.Sizes(t.Context(), cl, layout.Partitions, set.Orders, "unknown")
	value := make([]byte, 10_000)
	_, _ = rand.Read(value) // or the client would compress it
	if err := k.Client.ProduceSync(t.Context(), &kgo.Record{Topic: set.Orders, Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	after := kafka.Sizes(t.Context(), cl, layout.Partitions, set.Orders, "unknown")
	if grown := after[set.Orders] - before[set.Orders]; len(after) != 1 || grown < 10_000 || grown > 11_000 {
		t.Errorf("got sizes %v and then %v, want one that has grown by a record of 10 kB", before, after)
	}
	got := kafka.Retentions(t.Context(), cl, set.Orders, set.Status, set.DLQ)
	if got[set.Orders] != (kafka.Retention{For: 30 * 24 * time.Hour}) || got[set.Status] != (kafka.Retention{Compacted: true, For: -1}) || got[set.DLQ] != (kafka.Retention{For: -1}) {
		t.Errorf("got %+v, want 30 days, compacted and for ever", got)
	}
	k.Deny(t, securetest.ACL{Principal: "api", Operation: "Describe", Kind: "cluster", Name: "kafka-cluster"})
	if denied := kafka.Sizes(t.Context(), cl, layout.Partitions, set.Orders); len(denied) != 0 {
		t.Errorf("got %v without the permission, want no sizes", denied)
	}
}
