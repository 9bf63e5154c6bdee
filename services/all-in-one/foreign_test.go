package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/kafka"
)

// recordLine is a record in a file of a story, as scripts/dialects writes it; bytes are in base64. What
// begins with "dialects" begins with the prefix of the story instead.
type recordLine struct {
	Topic     string       `json:"topic"`
	Partition int32        `json:"partition"`
	Key       []byte       `json:"key"`
	Value     []byte       `json:"value"`
	Headers   []headerLine `json:"headers"`
}

type headerLine struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

// recordsOf reads the records of a file that are in a topic.
func (k *kit) recordsOf(ts *testscript.TestScript, file, topic string) (all []recordLine, err error) {
	f, err := os.Open(ts.MkAbs(file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l recordLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, err
		}
		for i, h := range l.Headers {
			if h.Value != nil {
				l.Headers[i].Value = []byte(strings.ReplaceAll(string(h.Value), "dialects", k.prefix()))
			}
		}
		if l.Topic = strings.ReplaceAll(l.Topic, "dialects", k.prefix()); l.Topic == topic {
			all = append(all, l)
		}
	}
	return all, lines.Err()
}

// external connects to the Kafka of a story, for the topics of other programs.
func (k *kit) external(ts *testscript.TestScript, more ...kgo.Opt) (*kgo.Client, error) {
	cfg := kafka.Config{Brokers: []string{ts.Getenv("BROKERS")}}
	return cfg.Connect(k.t.Context(), append(more, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
}

// program FILE TOPIC... appends the records of a file that are in one of some topics. It creates those
// topics, from which Kafka deletes records after an hour.
func (k *kit) otherProgram(ts *testscript.TestScript, args []string) error {
	cl, err := k.external(ts)
	if err != nil {
		return err
	}
	defer cl.Close()
	hour := "3600000"
	for _, topic := range args[1:] {
		all, err := k.recordsOf(ts, args[0], topic)
		if err != nil {
			return err
		}
		if _, err := kadm.NewClient(cl).CreateTopic(k.t.Context(), 3, -1, map[string]*string{"retention.ms": &hour}, topic); err != nil && len(all) == 0 {
			return err // else it exists
		}
		for _, l := range all {
			r := &kgo.Record{Topic: topic, Partition: l.Partition, Key: l.Key, Value: l.Value, Timestamp: time.Now()}
			for _, h := range l.Headers {
				r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
			}
			if err := cl.ProduceSync(k.t.Context(), r).FirstErr(); err != nil {
				return err
			}
		}
	}
	return nil
}

// listed TOPIC N waits until the API has read so many dead letters of a topic of another program: it does
// not tell when, because nothing waits for those.
func (k *kit) listed(ts *testscript.TestScript, args []string) error {
	api := client.New(ts.Getenv("API"), http.DefaultClient)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for overdue := time.After(patience); ; {
		all, _, err := api.DeadLetters(k.t.Context(), client.DeadLetterQuery{DeadLetterFilter: client.DeadLetterFilter{Topic: args[0]}, Limit: 100})
		if err != nil || strconv.Itoa(len(all)) == args[1] {
			return err
		}
		select {
		case <-again.C:
		case <-overdue:
			return fmt.Errorf("%d dead letters of %s are listed, want %s", len(all), args[0], args[1])
		}
	}
}

// sent FILE TOPIC checks that a topic has the records that the file has of it, with their keys, values,
// headers and partitions, and no others.
func (k *kit) sent(ts *testscript.TestScript, args []string) error {
	want, err := k.recordsOf(ts, args[0], args[1])
	if err != nil {
		return err
	}
	cl, err := k.external(ts)
	if err != nil {
		return err
	}
	defer cl.Close()
	var got []recordLine
	for partition, end := range ends(k, cl, args[1]) {
		err := kafka.NewReader(cl, "").Read(k.t.Context(), args[1], partition, 0, end, func(r *kgo.Record) error {
			l := recordLine{r.Topic, r.Partition, r.Key, r.Value, nil}
			for _, h := range r.Headers {
				l.Headers = append(l.Headers, headerLine{h.Key, h.Value})
			}
			got = append(got, l)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if g, w := sorted(got), sorted(want); !slices.Equal(g, w) {
		return fmt.Errorf("topic %s has\n%s\nwant\n%s", args[1], strings.Join(g, "\n"), strings.Join(w, "\n"))
	}
	return nil
}

// ends are the ends of the partitions of a topic.
func ends(k *kit, cl *kgo.Client, topic string) map[int32]int64 {
	all := map[int32]int64{}
	listed, err := kadm.NewClient(cl).ListEndOffsets(k.t.Context(), topic)
	if err != nil {
		k.t.Error(err)
	}
	listed.Each(func(o kadm.ListedOffset) { all[o.Partition] = o.Offset })
	return all
}

// sorted are records as text, in a sequence that does not depend on their places.
func sorted(all []recordLine) (lines []string) {
	for _, l := range all {
		text, _ := json.Marshal(l)
		lines = append(lines, string(text))
	}
	slices.Sort(lines)
	return lines
}
