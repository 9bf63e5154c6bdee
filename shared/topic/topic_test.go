package topic_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/golden"
	"example.com/orders/shared/topic"
)

func ExampleNames() {
	topics := topic.Names("shop")
	fmt.Println(topics.Orders, topics.DLQ, topic.MaxBytes(topics.Orders), topic.MaxBytes(topics.DLQ))
	// Output: shop shop.dlq 1048576 1310720
}

// TestTopicSettingsAreUnchanged compares the settings with a golden file: a release does not change
// existing topics, and services refuse topics with other settings.
func TestTopicSettingsAreUnchanged(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	fmt.Fprintf(&b, "%d partitions\n", topic.Partitions)
	for _, spec := range topic.Names("orders").Specs() {
		fmt.Fprintf(&b, "\n%s\n", spec.Name)
		for _, name := range slices.Sorted(maps.Keys(spec.Config)) {
			fmt.Fprintf(&b, "  %s=%s\n", name, spec.Config[name])
		}
	}
	golden.Compare(t, "testdata/topics.golden", b.String())
}

func TestEveryTopicHasASpec(t *testing.T) {
	t.Parallel()
	set := topic.Names("orders")
	want := []string{set.Orders, set.Retry10s, set.Retry2m, set.Waiting, set.Replay, set.Status, set.Invoices, set.DLQ, set.Desk, set.Workers}
	var got []string
	for _, spec := range set.Specs() {
		got = append(got, spec.Name)
		if spec.Config["max.message.bytes"] != fmt.Sprint(topic.MaxBytes(spec.Name)) {
			t.Errorf("%s: got batches of %d bytes, want those that the topic takes, %s", spec.Name, topic.MaxBytes(spec.Name), spec.Config["max.message.bytes"])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("topics of the table (-want +got):\n%s", diff)
	}
}

func TestMaxBytesWorksWithAnyPrefix(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{
		"": topic.MaxOrder, "shop": topic.MaxOrder, "eu.shop": topic.MaxOrder, "eu.shop.replays": topic.MaxOrder, "dlq": topic.MaxOrder,
		"eu.shop.replay": topic.MaxOrder * 5 / 4, "eu.shop.retry.10s": topic.MaxOrder * 5 / 4, "eu.shop.retry": topic.MaxOrder, "eu.shop.status": topic.MaxOrder * 5 / 4,
	} {
		if got := topic.MaxBytes(name); got != want {
			t.Errorf("topic %q: got batches of %d bytes, want %d", name, got, want)
		}
	}
}

func TestFaultAllowsLargerRetention(t *testing.T) {
	t.Parallel()
	set := topic.Names("orders")
	for _, row := range []struct{ topic, setting, value, want string }{
		{set.Orders, "retention.ms", "2592000000", ""},
		{set.Orders, "retention.ms", "2592000001", ""},
		{set.Orders, "retention.ms", "-1", ""},
		{set.Orders, "retention.ms", "2591999999", `must be at least "2592000000"`},
		{set.Orders, "retention.ms", "", `must be at least "2592000000"`},
		{set.Orders, "retention.ms", "-2", `must be at least "2592000000"`},
		{set.DLQ, "retention.ms", "9223372036854775807", `must be "-1"`},
		{set.Orders, "retention.bytes", "9223372036854775807", `must be "-1"`},
		{set.Orders, "max.message.bytes", "1048577", `must be "1048576"`},
		{set.DLQ, "max.message.bytes", "1310719", `must be at least "1310720"`},
		{set.DLQ, "max.message.bytes", "1310721", ""},
		{set.Status, "cleanup.policy", "compact,delete", `must be "compact"`},
		{set.Status, "min.compaction.lag.ms", "3600001", ""},
		{set.Status, "delete.retention.ms", "86400000", `must be at least "2592000000"`},
		{set.Orders, "message.timestamp.type", "CreateTime", `must be "LogAppendTime"`},
		{set.Orders, "unclean.leader.election.enable", "true", `must be "false"`},
	} {
		for _, spec := range set.Specs() {
			if spec.Name != row.topic {
				continue
			}
			if got := spec.Fault(row.setting, row.value); got != row.want {
				t.Errorf("%s: %s=%s: got %q, want %q", row.topic, row.setting, row.value, got, row.want)
			}
		}
	}
}
