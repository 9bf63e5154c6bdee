package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/topic"
)

// onBoth runs a test on a broker in memory, and on the real Kafka when there is one.
func onBoth(t *testing.T, test func(t *testing.T, k *kafkatest.Kafka)) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) { t.Parallel(); test(t, kafkatest.Start(t)) })
	t.Run("real", func(t *testing.T) { t.Parallel(); test(t, kafkatest.Real(t)) })
}

func ExampleCheck() {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		panic(err)
	}
	defer cluster.Close()
	ctx, topics := context.Background(), topic.Names("orders")
	cl, err := kafka.Config{Brokers: cluster.ListenAddrs()}.Connect(ctx)
	if err != nil {
		panic(err)
	}
	defer cl.Close()

	_, err = kafka.Check(ctx, cl, topics)
	fmt.Println(errors.Is(err, kafka.ErrTopics))
	made, err := kafka.Create(ctx, cl, topics, topic.Partitions, 0)
	fmt.Println(len(made), err)
	layout, err := kafka.Check(ctx, cl, topics)
	fmt.Println(layout.Partitions, len(layout.Incarnation), err)
	// Output:
	// true
	// 8 <nil>
	// 12 6 <nil>
}

func TestCheckNamesEverySettingThatDiffers(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		adm, set := kadm.NewClient(k.Client), topic.Names(k.Prefix+"-wrong")
		other := map[string]string{
			"cleanup.policy": "compact,delete", "retention.ms": "1000", "retention.bytes": "1000000", "max.message.bytes": "1000",
			"message.timestamp.type": "CreateTime", "min.compaction.lag.ms": "1",
		}
		var want []string
		for _, spec := range set.Specs() {
			wrong := map[string]*string{}
			for _, name := range slices.Sorted(maps.Keys(spec.Config)) {
				value := other[name]
				wrong[name] = &value
				want = append(want, fmt.Sprintf("  %s: %s is %q, must be %q", spec.Name, name, value, spec.Config[name]))
			}
			if _, err := adm.CreateTopic(t.Context(), 1, 1, wrong, spec.Name); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				// The context of a test that ends is done already.
				if _, err := adm.DeleteTopics(context.Background(), spec.Name); err != nil {
					t.Errorf("deleting topic %s: %v", spec.Name, err)
				}
			})
		}
		// Nothing is missing, but Create waits until every broker knows that.
		if made, err := kafka.Create(t.Context(), k.Client, set, 1, 1); err != nil || made != nil {
			t.Fatalf("got %v, %v; want nothing created", made, err)
		}
		_, err := kafka.Check(t.Context(), k.Client, set)
		if !errors.Is(err, kafka.ErrTopics) {
			t.Fatalf("got %v, want ErrTopics", err)
		}
		if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")[1:]); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
	})
}

func TestCheckNamesMissingTopicsAndOtherPartitions(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	replace := func(name string, partitions int32) {
		adm := kadm.NewClient(k.Client)
		if _, err := adm.DeleteTopics(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if partitions == 0 {
			return
		}
		if _, err := adm.CreateTopic(t.Context(), partitions, 1, nil, name); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name       string
		partitions int32
		want       []string
	}{
		{k.Topics.DLQ, 0, []string{"  orders.dlq: missing (create it with: ordersctl topics create)"}},
		{k.Topics.Replay, 2, []string{
			"  orders.replay: 2 partitions, but orders has 3",
			`  orders.replay: max.message.bytes is "1048588", must be "1310720"`,
			`  orders.replay: message.timestamp.type is "CreateTime", must be "LogAppendTime"`,
			`  orders.replay: retention.ms is "604800000", must be "2592000000"`,
		}},
		{k.Topics.Orders, 0, []string{"  orders: missing (create it with: ordersctl topics create)"}},
	} {
		replace(row.name, row.partitions)
		_, err := kafka.Check(t.Context(), k.Client, k.Topics)
		if diff := cmp.Diff(row.want, strings.Split(fmt.Sprint(err), "\n")[1:]); diff != "" || !errors.Is(err, kafka.ErrTopics) {
			t.Errorf("%s with %d partitions: got %v; faults (-want +got):\n%s", row.name, row.partitions, err, diff)
		}
		replace(row.name, 0)
		made, err := kafka.Create(t.Context(), k.Client, k.Topics, kafkatest.Partitions, 0)
		if diff := cmp.Diff([]string{row.name}, made); diff != "" || err != nil {
			t.Errorf("got %v; topics created (-want +got):\n%s", err, diff)
		}
	}
	if _, err := kafka.Check(t.Context(), k.Client, k.Topics); err != nil {
		t.Errorf("got %v from the repaired topics, want nothing", err)
	}
}

func TestTopicsThatExistStayAsTheyAre(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		before, err := kafka.Check(t.Context(), k.Client, k.Topics)
		if err != nil {
			t.Fatal(err)
		}
		if made, err := kafka.Create(t.Context(), k.Client, k.Topics, kafkatest.Partitions+1, 0); err != nil || made != nil {
			t.Errorf("got %v, %v; want nothing created", made, err)
		}
		after, err := kafka.Check(t.Context(), k.Client, k.Topics)
		if err != nil || !reflect.DeepEqual(after, before) {
			t.Errorf("got %+v, %v; want %+v as before", after, err, before)
		}
		_, err = kafka.Create(t.Context(), k.Client, topic.Names(k.Prefix+"-none"), 0, 0)
		if want := fmt.Sprintf("creating topic %q: ", k.Prefix+"-none"); !errors.Is(err, kerr.InvalidPartitions) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v for 0 partitions, want them refused by the broker and %q", err, want)
		}
	})
}

func TestATopicMadeAnewIsAnotherIncarnation(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	seen := map[string]bool{}
	for range 3 {
		layout, err := kafka.Check(t.Context(), k.Client, k.Topics)
		if err != nil {
			t.Fatal(err)
		}
		if seen[layout.Incarnation] || strings.Trim(layout.Incarnation, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != "" || len(layout.Incarnation) != 6 {
			t.Errorf("got incarnation %q after %v, want six other letters and digits", layout.Incarnation, seen)
		}
		seen[layout.Incarnation] = true
		if _, err := kadm.NewClient(k.Client).DeleteTopics(t.Context(), k.Topics.Orders); err != nil {
			t.Fatal(err)
		}
		if _, err := kafka.Create(t.Context(), k.Client, k.Topics, kafkatest.Partitions, 0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestThreeBrokersKeepThreeCopies(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name                 string
		brokers, replication int
		replicas             int
		insync               string
	}{
		{"one broker", 1, 0, 1, "1"},
		{"three brokers", 3, 0, 3, "2"},
		{"three brokers, one copy asked for", 3, 1, 1, "1"},
	} {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(row.brokers))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cluster.Close)
		cl, err := kafka.Config{Brokers: cluster.ListenAddrs()}.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		set := topic.Names("orders")
		if _, err := kafka.Create(t.Context(), cl, set, 1, row.replication); err != nil {
			t.Fatal(err)
		}
		adm := kadm.NewClient(cl)
		found, err := adm.ListTopics(t.Context(), set.Status)
		if err != nil {
			t.Fatal(err)
		}
		configs, err := adm.DescribeTopicConfigs(t.Context(), set.Status)
		if err != nil {
			t.Fatal(err)
		}
		var insync string
		for _, c := range configs[0].Configs {
			if c.Key == "min.insync.replicas" {
				insync = c.MaybeValue()
			}
		}
		if got := found[set.Status].Partitions.NumReplicas(); got != row.replicas || insync != row.insync {
			t.Errorf("%s: got %d copies, %s in sync; want %d, %s", row.name, got, insync, row.replicas, row.insync)
		}
	}
}
