//go:build synctests

package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-api/internal/foreign"
	"example.com/orders/services/order-api/internal/foreign/sender"
	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/wire"
)

// besideUs makes a Kafka in which another program has a topic and its dead letters.
func besideUs(t *testing.T, k *kafkatest.Kafka) *shop {
	t.Helper()
	s := openOn(t, k, 1)
	admin, names := kadm.NewClient(k.Client), []string{s.in(), s.dead()}
	_, err := admin.CreateTopics(t.Context(), kafkatest.Partitions, -1, nil, names...)
	must(t, err)
	if k.Cluster == nil {
		t.Cleanup(func() { _, _ = admin.DeleteTopics(context.Background(), names...) })
	}
	s.rules = sender.Rules{Ours: s.Topics, DeadLetters: []string{s.dead()}}
	return s
}

func (s *shop) in() string   { return s.Prefix + "-billing" }
func (s *shop) dead() string { return s.Prefix + "-billing-dlt" }

// deadLetter is the dead letter number i of that program.
func (s *shop) deadLetter(i int) *kgo.Record {
	return &kgo.Record{
		Topic: s.dead(), Partition: int32(i % kafkatest.Partitions), Key: fmt.Appendf(nil, "key-%d", i), Value: fmt.Appendf(nil, "value-%d", i),
		Headers: []kgo.RecordHeader{
			{Key: "app", Value: []byte("x")},
			{Key: "__connect.errors.topic", Value: []byte(s.in())},
			{Key: "__connect.errors.partition", Value: fmt.Appendf(nil, "%d", (i+1)%kafkatest.Partitions)},
			{Key: "__connect.errors.offset", Value: []byte("7")},
			{Key: "__connect.errors.exception.class.name", Value: []byte("java.net.ConnectException")},
			{Key: "__connect.errors.exception.message", Value: fmt.Appendf(nil, "Connection refused after %d ms", i)},
		},
	}
}

func idOf(r *kgo.Record) string {
	return foreign.Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}.ID()
}

// decide appends a decision about a dead letter, and returns when the view has it.
func (i *instance) decide(t *testing.T, s *shop, d wire.Decision) {
	t.Helper()
	d.At = time.Now().UTC()
	r := d.Record()
	s.put(t, s.Topics.Desk, s.layout.Partition([]byte(d.DeadLetter)), r)
	must(t, i.view.Desk(t.Context(), r.Partition, r.Offset+1))
}

// listed waits until the view has n dead letters of that program.
func (i *instance) listed(t *testing.T, s *shop, n int) []string {
	t.Helper()
	changes, stop := i.view.WatchDeadLetters()
	defer stop()
	for {
		ids, err := i.view.Select(t.Context(), view.DeadLetterFilter{Topic: s.dead(), Limit: n + 1})
		must(t, err)
		if len(ids) == n {
			return ids
		}
		<-changes
	}
}

func TestDeadLettersOfOtherProgramsAreReplayedOnceAndAsDecided(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := besideUs(t, kafkatest.Start(t))
		var all []*kgo.Record
		for i := range 60 {
			all = append(all, s.deadLetter(i))
		}
		all[5].Headers = all[5].Headers[:1] // names no topic
		s.Produce(t, all...)
		i := s.start(t, "api-1")
		i.listed(t, s, 60)
		l, err := i.view.DeadLetter(t.Context(), idOf(all[7]))
		if err != nil || l.State != view.Open || l.Reason != "java.net.ConnectException" || l.Topic != s.in() || l.Worker != "Kafka Connect" || l.Message == "" {
			t.Errorf("got %+v, %v", l, err)
		}
		groups, err := i.view.Groups(t.Context(), view.DeadLetterFilter{Topic: s.dead()})
		if err != nil || len(groups) != 2 || max(groups[0].Total(), groups[1].Total()) != 59 {
			t.Errorf("got groups %+v, %v; want all of one cause in one", groups, err)
		}
		i.decide(t, s, wire.Decision{ID: "d1", Kind: wire.Discard, DeadLetter: idOf(all[3])})
		i.decide(t, s, wire.Decision{ID: "d2", Kind: wire.Edit, DeadLetter: idOf(all[4]), Version: 1, Value: []byte("\xff no JSON")})

		id := i.create(t, jobs.Spec{Filter: view.DeadLetterFilter{Topic: s.dead()}})
		p := i.await(t, id, phase(jobs.Done))
		want := map[wire.SkipReason]int{wire.SkipDiscarded: 1, wire.SkipTarget: 1}
		if diff := cmp.Diff(want, p.Skipped); diff != "" || p.Sent != 58 {
			t.Errorf("got %d sent, skipped (-want +got):\n%s", p.Sent, diff)
		}
		got := s.Records(t, s.in())
		if len(got) != 58 {
			t.Fatalf("got %d records, want 58", len(got))
		}
		for n, r := range all {
			at := slices.IndexFunc(got, func(g *kgo.Record) bool { return bytes.Equal(g.Key, r.Key) })
			value := r.Value
			if n == 4 {
				value = []byte("\xff no JSON")
			}
			if n == 3 || n == 5 {
				if at >= 0 {
					t.Errorf("dead letter %d was replayed", n)
				}
			} else if at < 0 || !bytes.Equal(got[at].Value, value) || got[at].Partition != int32((n+1)%kafkatest.Partitions) || len(got[at].Headers) != 1 {
				t.Errorf("dead letter %d: got record %d of %+v", n, at, got)
			}
		}
		for n, state := range map[int]view.DeadLetterState{3: view.Discarded, 4: view.SentOn, 5: view.Open, 6: view.SentOn} {
			if l, err := i.view.DeadLetter(t.Context(), idOf(all[n])); err != nil || l.State != state {
				t.Errorf("dead letter %d: got %s, %v; want %s", n, l.State, err, state)
			}
		}
		p = i.await(t, i.create(t, jobs.Spec{IDs: []string{idOf(all[6]), idOf(all[5])}, ReplayTo: s.in()}), phase(jobs.Done))
		if p.Sent != 1 || p.Skipped[wire.SkipClosed] != 1 {
			t.Errorf("another job: got %d sent, %v skipped; want what was not sent before", p.Sent, p.Skipped)
		}
		p = i.await(t, i.create(t, jobs.Spec{IDs: []string{idOf(all[6]), idOf(all[4]), idOf(all[3])}, Override: true}), phase(jobs.Done))
		if p.Sent != 2 || p.Skipped[wire.SkipDiscarded] != 1 {
			t.Errorf("with an override: got %d sent, %v skipped; want 2, and not what is discarded", p.Sent, p.Skipped)
		}
	})
}

// TestOverlappingForeignJobsSendEachDeadLetterOnce has two jobs with a rate and one without, of two
// instances, over the same dead letters.
func TestOverlappingForeignJobsSendEachDeadLetterOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const total = 300
		s := besideUs(t, kafkatest.Start(t))
		var all []*kgo.Record
		for i := range total {
			all = append(all, s.deadLetter(i))
		}
		s.Produce(t, all...)
		one, two := s.start(t, "api-1"), s.start(t, "api-2")
		one.listed(t, s, total)
		two.listed(t, s, total)
		spec := jobs.Spec{Filter: view.DeadLetterFilter{Topic: s.dead()}, Rate: 40}
		ids := []string{one.create(t, spec), two.create(t, spec)}
		one.await(t, ids[1], func(p jobs.Progress) bool { return p.Sent+p.Skipped[wire.SkipClosed] >= 20 }) // whichever sends first
		spec.Rate = 0
		ids = append(ids, two.create(t, spec))
		sent, skipped := 0, 0
		for _, id := range ids {
			p := one.await(t, id, phase(jobs.Done))
			sent, skipped = sent+p.Sent, skipped+p.Skipped[wire.SkipClosed]
		}
		if sent != total || skipped != 2*total {
			t.Errorf("got %d sent and %d skipped, want %d and %d", sent, skipped, total, 2*total)
		}
		arrived := map[string]int{}
		for _, r := range s.Records(t, s.in()) {
			arrived[string(r.Key)]++
		}
		for key, n := range arrived {
			if n != 1 {
				t.Errorf("%s arrived %d times, want once", key, n)
			}
		}
		if len(arrived) != total {
			t.Errorf("got %d records, want %d", len(arrived), total)
		}
	})
}

func TestJobsOfOtherProgramsThatCannotBeAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := besideUs(t, kafkatest.Start(t))
		r := s.deadLetter(0)
		s.Produce(t, r)
		i := s.start(t, "api-1")
		i.listed(t, s, 1)
		for name, spec := range map[string]jobs.Spec{
			"ours, too":         {IDs: []string{idOf(r), "3-124"}},
			"ours to elsewhere": {IDs: []string{"3-124"}, ReplayTo: s.in()},
			"another topic":     {IDs: []string{idOf(r)}, Topic: "other"},
			"unknown topic":     {IDs: []string{"other:0-0"}},
			"to our topic":      {IDs: []string{idOf(r)}, ReplayTo: s.Topics.Orders},
			"to itself":         {IDs: []string{idOf(r)}, ReplayTo: s.dead()},
			"to no topic":       {IDs: []string{idOf(r)}, ReplayTo: "a b"},
			"dry run":           {IDs: []string{idOf(r)}, DryRun: true},
			"with a patch":      {IDs: []string{idOf(r)}, Patch: []byte(`[{"op":"remove","path":"/a"}]`)},
		} {
			if j, err := i.Create(ann(t), spec); !errors.Is(err, jobs.ErrSpec) {
				t.Errorf("%s: got %+v, %v; want ErrSpec", name, j, err)
			}
		}
	})
}

// TestADeletedTopicOfOtherProgramsDoesNotDisturbOurs goes on without it, and with another one of the
// same name.
func TestADeletedTopicOfOtherProgramsDoesNotDisturbOurs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := besideUs(t, kafkatest.Start(t))
		s.Produce(t, s.deadLetter(0))
		i := s.start(t, "api-1")
		i.listed(t, s, 1)
		_, err := kadm.NewClient(s.Client).DeleteTopics(t.Context(), s.dead())
		must(t, err)
		kafkatest.Pass(5 * time.Minute)
		s.Produce(t, s.die(t, s.orders[s.ids[0]], 1)...)
		kafkatest.Pass(5 * time.Second)
		l, err := i.view.DeadLetter(t.Context(), s.ids[0])
		if h := i.view.Health(); err != nil || l.Replays != 1 || time.Since(h.Fresh) > 5*time.Second || h.Trouble != "" {
			t.Errorf("got replay %d of ours, %v, and health %+v; want 1, and fresh", l.Replays, err, h)
		}
	})
}

// TestForeignReplaysAreHalfAsFastAsACopyOnRealKafka measures a job without a rate, from its request to its last
// record, against a program that does nothing but consume and produce the same records, on the same broker. Both
// end when a consumer of the topic has all of them. They take turns, so that other load on the machine is the
// same for both, and the best of three rounds counts. Of few records a job takes longest to begin, so only the
// requests are bounded then: there are none for each record.
func TestForeignReplaysAreHalfAsFastAsACopyOnRealKafka(t *testing.T) {
	s := besideUs(t, kafkatest.Real(t))
	const enough = 100_000
	records := 20_000
	if n, err := strconv.Atoi(os.Getenv("ORDERS_TEST_FOREIGN")); err == nil {
		records = n
	}
	if raced {
		records = 2_000
	}
	for part := range slices.Chunk(slices.Collect(numbers(records)), 5_000) {
		var all []*kgo.Record
		for _, n := range part {
			all = append(all, s.deadLetter(n))
		}
		s.Produce(t, all...)
	}
	i := s.start(t, "api-1")
	i.listed(t, s, records)
	best := 0.0
	for round := range 3 {
		arrived := s.arrivals(t, records)
		began := time.Now()
		s.copy(t, records)
		raw := (<-arrived).Sub(began)
		arrived = s.arrivals(t, records)
		before := i.requests()
		began = time.Now()
		id := i.create(t, jobs.Spec{Filter: view.DeadLetterFilter{Topic: s.dead()}, Override: round > 0})
		created := time.Since(began)
		took := (<-arrived).Sub(began)
		after := i.requests()
		if p := i.await(t, id, phase(jobs.Done)); p.Sent != records {
			t.Errorf("got %d sent, want %d: %+v", p.Sent, records, p.Skipped)
		}
		if n := after[kmsg.EndTxn] - before[kmsg.EndTxn]; n > 5+records/5_000 {
			t.Errorf("got %d transactions for %d records", n, records)
		}
		for _, key := range []kmsg.Key{kmsg.Fetch, kmsg.Produce} {
			if n := after[key] - before[key]; n > 100+records/100 {
				t.Errorf("got %d requests %s for %d records", n, key.Name(), records)
			}
		}
		t.Logf("%d records: copy %v; replay %v, of which %v is the selection: %.0f %%", records, raw, took, created, 100*raw.Seconds()/took.Seconds())
		best = max(best, raw.Seconds()/took.Seconds())
	}
	if best < 0.5 && records >= enough {
		t.Errorf("a replay was never faster than %.0f %% of a copy, want 50 %% or more", 100*best)
	}
}

// arrivals receives the time at which n more records are in the topic of the records that failed, as a
// consumer of it sees them.
func (s *shop) arrivals(t *testing.T, n int) <-chan time.Time {
	t.Helper()
	ends, err := kadm.NewClient(s.Client).ListEndOffsets(t.Context(), s.in())
	must(t, err)
	from := map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) { from[o.Partition] = kgo.NewOffset().At(o.Offset) })
	cl, err := s.Config().Connect(t.Context(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.in(): from}))
	must(t, err)
	arrived := make(chan time.Time, 1)
	go func() {
		defer cl.Close()
		for seen := 0; seen < n && t.Context().Err() == nil; {
			seen += cl.PollFetches(t.Context()).NumRecords()
		}
		arrived <- time.Now()
	}()
	return arrived
}

func numbers(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// copy consumes all dead letters and produces them to the topic of the records that failed.
func (s *shop) copy(t *testing.T, records int) {
	t.Helper()
	from, err := s.Config().Connect(t.Context(), kgo.ConsumeTopics(s.dead()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must(t, err)
	defer from.Close()
	to, err := s.Config().Connect(t.Context())
	must(t, err)
	defer to.Close()
	for n := 0; n < records; {
		from.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) {
			n++
			to.Produce(t.Context(), &kgo.Record{Topic: s.in(), Key: r.Key, Value: r.Value, Headers: r.Headers}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
	must(t, to.Flush(t.Context()))
}
