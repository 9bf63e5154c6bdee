//go:build synctests

package group

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafka"
)

// skip has the batch at an offset skipped, as ordersctl does.
func (m *team) skip(t *testing.T, topic string, partition int32, offset int64) {
	t.Helper()
	_, err := kafka.NewReader(m.Client, m.Topics.DLQ).Probe(t.Context(), topic, partition, offset)
	bad, ok := errors.AsType[*kafka.UnreadableError](err)
	if !ok {
		t.Fatalf("got %v, want a batch that cannot be read", err)
	}
	r := bad.Skip(time.Now())
	r.Topic = m.Topics.DLQ
	m.Produce(t, r)
}

func TestOneUnreadableBatchBlocksItsPartitionAloneUntilItIsSkipped(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{"orders", "orders.retry.10s", "orders.waiting", "orders.replay", "orders.status"} {
		for name, running := range map[string]bool{"before the start": false, "while it runs": true} {
			t.Run(topic+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					m := gather(t)
					spoil := func() {
						m.ProduceBad(t, topic, 1, 2, 0)
						m.fill(t, m.Topics.Orders, 1, 1)
						m.fill(t, m.Topics.Orders, 2, 1)
					}
					if !running {
						spoil()
					}
					var said *warnings
					c, stop := m.member(t, m.work, func(c *Config) { said = listen(c) })
					time.Sleep(20 * time.Second)
					if running {
						spoil()
						m.fill(t, m.Topics.Orders, 1, 1) // in one answer with the bad batch, or not
					}
					time.Sleep(time.Minute)
					line := "partition blocked: a batch cannot be read"
					if n := strings.Count(said.String(), line); n < 1 || n > 3 {
						t.Errorf("said %d times %q, want once, and once a minute:\n%s", n, line, said)
					}
					var blocked []int32
					for _, p := range c.Partitions() {
						if bad, ok := errors.AsType[*kafka.UnreadableError](p.Blocked); ok && bad.Topic == topic {
							blocked = append(blocked, p.Number)
						}
					}
					if diff := cmp.Diff([]int32{1}, blocked); diff != "" {
						t.Errorf("blocked (-want +got):\n%s", diff)
					}
					if got := m.worked(); !cmp.Equal(got, []string{"orders/2@0"}) && (topic == "orders" || topic == "orders.status" && !running) {
						t.Errorf("worked on %v, want what stands in other partitions", got)
					}
					var at int64
					if topic == "orders.status" {
						at = m.status(t, running)
					}
					m.skip(t, topic, 1, at)
					time.Sleep(time.Minute)
					m.fill(t, m.Topics.Orders, 1, 1)
					time.Sleep(10 * time.Second)
					for _, p := range c.Partitions() {
						if p.Blocked != nil {
							t.Errorf("partition %d: got %v, want it open again", p.Number, p.Blocked)
						}
					}
					stop()
					end, got := int64(2), m.committed(t, "orders", 1)
					if running {
						end++
					}
					if topic == "orders" {
						end += 2
					}
					if got != end {
						t.Errorf("committed %d, want %d: all behind the batch is worked on; worked on %v", got, end, m.worked())
					}
				})
			})
		}
	}
}

// status is where the bad batch stands in orders.status: behind the claim of a member that ran already.
func (m *team) status(_ *testing.T, running bool) int64 {
	if running {
		return 1
	}
	return 0
}

func TestAMemberThatMayNotReadWaitsUntilItMayReadAgain(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{"orders", "orders.replay"} {
		t.Run(topic, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := gather(t)
				var said *warnings
				_, stop := m.member(t, m.work, func(c *Config) { said = listen(c) })
				time.Sleep(20 * time.Second)
				ids, err := kadm.NewClient(m.Client).ListTopics(t.Context(), topic)
				if err != nil {
					t.Fatal(err)
				}
				granted, asked := time.Now().Add(5*time.Minute), 0
				m.Cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
					if time.Now().After(granted) {
						return nil, nil, false
					}
					m.Cluster.KeepControl()
					fetch := r.(*kmsg.FetchRequest)
					if fetch.SessionEpoch > 0 { // it names no topics
						unknown := r.ResponseKind().(*kmsg.FetchResponse)
						unknown.ErrorCode = kerr.FetchSessionIDNotFound.Code
						return unknown, nil, true
					}
					if !slices.ContainsFunc(fetch.Topics, func(of kmsg.FetchRequestTopic) bool { return of.TopicID == ids[topic].ID }) {
						return nil, nil, false
					}
					asked++
					return denied(fetch, topic, ids[topic].ID), nil, true
				})
				time.Sleep(4 * time.Minute)
				m.fill(t, topic, 0, 3)
				time.Sleep(2 * time.Minute)
				if got := m.Committed(t, "team")[topic][0]; got != 3 {
					t.Errorf("committed %d of 3 records after access was granted:\n%s", got, said)
				}
				stop()
				if n := strings.Count(said.String(), "TOPIC_AUTHORIZATION_FAILED"); n < 4 || n > 3*6 || asked > 5*60*20 {
					t.Errorf("%d lines and %d fetches in 5 minutes, want a line a minute for each partition, and no loop without pause:\n%.3000s", n, asked, said)
				}
			})
		})
	}
}

// denied is the answer of a broker that does not let the client read a topic.
func denied(r *kmsg.FetchRequest, topic string, id kadm.TopicID) *kmsg.FetchResponse {
	resp := r.ResponseKind().(*kmsg.FetchResponse)
	of := kmsg.NewFetchResponseTopic()
	of.Topic, of.TopicID = topic, id
	for number := range int32(3) {
		p := kmsg.NewFetchResponseTopicPartition()
		p.Partition, p.ErrorCode = number, kerr.TopicAuthorizationFailed.Code
		of.Partitions = append(of.Partitions, p)
	}
	resp.Topics = append(resp.Topics, of)
	return resp
}

func TestNoErrorOfDeletedTopicsIsLoggedMoreThanOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		var said *warnings
		_, stop := m.member(t, m.work, func(c *Config) { said = listen(c) })
		time.Sleep(20 * time.Second)
		var names []string
		for _, spec := range m.Topics.Specs() {
			names = append(names, spec.Name)
		}
		if _, err := kadm.NewClient(m.Client).DeleteTopics(t.Context(), names...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		stop()
		if n := strings.Count(said.String(), "\n"); n > 60 {
			t.Errorf("said %d lines in a minute, want few:\n%.3000s", n, said)
		}
	})
}
