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
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

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

// brokers starts a cluster, and a client of it, until the test ends.
func brokers(t *testing.T, opts ...kfake.Opt) (*kfake.Cluster, *kgo.Client) {
	t.Helper()
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cl, err := kafka.Config{Brokers: cluster.ListenAddrs()}.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cluster, cl
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
	// 10 <nil>
	// 12 6 <nil>
}

func TestCheckNamesEverySettingThatDiffers(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		adm, set := kadm.NewClient(k.Client), topic.Names(k.Prefix+"-wrong")
		other := map[string]string{
			"cleanup.policy": "compact,delete", "retention.ms": "1000", "retention.bytes": "1000000", "max.message.bytes": "1000",
			"message.timestamp.type": "CreateTime", "min.compaction.lag.ms": "1", "delete.retention.ms": "1",
			"unclean.leader.election.enable": "true", "segment.ms": "1000",
		}
		var want []string
		for _, spec := range set.Specs() {
			wrong := map[string]*string{}
			for _, name := range slices.Sorted(maps.Keys(spec.Config)) {
				value, ok := other[name]
				if !ok {
					t.Fatalf("the test has no other value of %s", name)
				}
				wrong[name] = &value
				want = append(want, fmt.Sprintf("  %s: %s is %q, %s", spec.Name, name, value, spec.Fault(name, value)))
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
		{k.Topics.DLQ, 0, []string{"  orders.dlq: missing (create it with: ordersctl topics create --prefix orders)"}},
		{k.Topics.Replay, 2, []string{
			"  orders.replay: 2 partitions, but orders has 3",
			`  orders.replay: max.message.bytes is "1048588", must be at least "1310720"`,
			`  orders.replay: message.timestamp.type is "CreateTime", must be "LogAppendTime"`,
			`  orders.replay: retention.ms is "604800000", must be at least "2592000000"`,
		}},
		{k.Topics.Orders, 0, []string{"  orders: missing (create it with: ordersctl topics create --prefix orders)"}},
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
		{"two brokers, two copies asked for", 2, 2, 2, "1"},
		{"three brokers", 3, 0, 3, "2"},
		{"three brokers, one copy asked for", 3, 1, 1, "1"},
	} {
		_, cl := brokers(t, kfake.NumBrokers(row.brokers))
		set := topic.Names("orders")
		if _, err := kafka.Create(t.Context(), cl, set, 1, row.replication); err != nil {
			t.Fatal(err)
		}
		if _, err := kafka.Check(t.Context(), cl, set); err != nil {
			t.Errorf("%s: got %v of what Create made", row.name, err)
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

func TestABrokerWithoutTopicIDsIsRefused(t *testing.T) {
	t.Parallel()
	for version, row := range map[string]struct {
		max  *kversion.Versions
		want string
	}{
		"2.7": {kversion.V2_7_0(), "  orders: has no topic ID, which makes invoice numbers unique: " +
			"Kafka 2.8 or later is needed, on all brokers and as inter.broker.protocol.version"},
		"2.8": {kversion.V2_8_0(), ""},
	} {
		_, cl := brokers(t, kfake.NumBrokers(1), kfake.MaxVersions(row.max))
		set := topic.Names("orders")
		if _, err := kafka.Create(t.Context(), cl, set, 3, 0); err != nil {
			t.Fatal(err)
		}
		_, err := kafka.Check(t.Context(), cl, set)
		if row.want == "" && err != nil || row.want != "" && (!errors.Is(err, kafka.ErrTopics) || !strings.HasSuffix(err.Error(), ":\n"+row.want)) {
			t.Errorf("Kafka %s: got %v, want %q", version, err, row.want)
		}
	}
}

func TestSettingsThatAreSafeAsWellAreAccepted(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kafkatest.Kafka) {
		more := map[string]string{
			"retention.ms": "5184000000", "max.message.bytes": "2097152", "min.compaction.lag.ms": "7200000", "delete.retention.ms": "5184000000",
		}
		adm := kadm.NewClient(k.Client)
		for _, spec := range k.Topics.Specs() {
			var alter []kadm.AlterConfig
			for name, value := range more {
				if want := spec.Config[name]; want != "" && want != "-1" && (name != "max.message.bytes" || spec.Name != k.Topics.Orders) {
					alter = append(alter, kadm.AlterConfig{Name: name, Value: &value})
				}
			}
			if answers, err := adm.AlterTopicConfigs(t.Context(), alter, spec.Name); err != nil || answers[0].Err != nil {
				t.Fatal(err, answers)
			}
		}
		if _, err := kafka.Check(t.Context(), k.Client, k.Topics); err != nil {
			t.Errorf("got %v, want nothing wrong", err)
		}
	})
}

// TestUnsafeSettingsAreRefused names the settings, whatever the table of topics has.
func TestUnsafeSettingsAreRefused(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	set := func(name, setting, value string) {
		answers, err := kadm.NewClient(k.Client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: setting, Value: &value}}, name)
		if err != nil || answers[0].Err != nil {
			t.Fatal(err, answers)
		}
	}
	for _, spec := range k.Topics.Specs() {
		set(spec.Name, "unclean.leader.election.enable", "true")
	}
	set(k.Topics.Status, "delete.retention.ms", "86400000")
	var want []string
	for _, spec := range k.Topics.Specs() {
		if spec.Name == k.Topics.Status {
			want = append(want, fmt.Sprintf(`  %s: delete.retention.ms is "86400000", must be at least "2592000000"`, spec.Name))
		}
		want = append(want, fmt.Sprintf(`  %s: unclean.leader.election.enable is "true", must be "false"`, spec.Name))
	}
	_, err := kafka.Check(t.Context(), k.Client, k.Topics)
	if diff := cmp.Diff(want, strings.Split(fmt.Sprint(err), "\n")[1:]); diff != "" || !errors.Is(err, kafka.ErrTopics) {
		t.Errorf("got %v; faults (-want +got):\n%s", err, diff)
	}
}

func TestReplicasInSyncThatBreakAPromiseAreRefused(t *testing.T) {
	t.Parallel()
	_, cl := brokers(t, kfake.NumBrokers(5))
	for _, row := range []struct {
		replication int
		insync      string
		want        string
	}{
		{1, "1", ""},
		{1, "2", `must be "1" with 1 replicas`},
		{2, "1", ""},
		{2, "2", ""},
		{2, "3", `must be from "1" to "2" with 2 replicas`},
		{3, "1", `must be "2" with 3 replicas`},
		{3, "2", ""},
		{3, "3", `must be "2" with 3 replicas`},
		{5, "1", `must be from "2" to "4" with 5 replicas`},
		{5, "3", ""},
	} {
		set := topic.Names(fmt.Sprintf("r%d-%s", row.replication, row.insync))
		if _, err := kafka.Create(t.Context(), cl, set, 1, row.replication); err != nil {
			t.Fatal(err)
		}
		answers, err := kadm.NewClient(cl).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "min.insync.replicas", Value: &row.insync}}, set.Status)
		if err != nil || answers[0].Err != nil {
			t.Fatal(err, answers)
		}
		_, err = kafka.Check(t.Context(), cl, set)
		want := ""
		if row.want != "" {
			want = fmt.Sprintf("%v:\n  %s: min.insync.replicas is %q, %s", kafka.ErrTopics, set.Status, row.insync, row.want)
		}
		if got := fmt.Sprint(err); err == nil && want != "" || err != nil && got != want {
			t.Errorf("%d replicas, %s in sync: got %s, want %q", row.replication, row.insync, got, want)
		}
	}
}

// An order needs all topics of its partition number, so a broker that is lost must not take one topic of each.
func TestAPartitionNumberHasOneLeaderInAllTopics(t *testing.T) {
	t.Parallel()
	cluster, cl := brokers(t, kfake.NumBrokers(3))
	led := make(chan string, 99) // which broker leads which partition
	cluster.ControlKey(int16(kmsg.CreateTopics), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		for _, topic := range r.(*kmsg.CreateTopicsRequest).Topics {
			var leaders []int32
			for _, p := range topic.ReplicaAssignment {
				leaders = append(leaders, p.Replicas[0])
			}
			led <- fmt.Sprint(leaders)
		}
		return nil, nil, false
	})
	set := topic.Names("orders")
	if _, err := kafka.Create(t.Context(), cl, set, 6, 1); err != nil {
		t.Fatal(err)
	}
	close(led)
	topics := 0
	for leaders := range led {
		topics++
		if want := "[0 1 2 0 1 2]"; leaders != want {
			t.Errorf("leaders of topic %d: got %s, want %s", topics, leaders, want)
		}
	}
	if want := len(set.Specs()); topics != want {
		t.Errorf("got %d topics, want %d", topics, want)
	}
}
