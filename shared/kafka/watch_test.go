//go:build synctests

package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
)

func TestWatchEndsWithWhatWaitingDoesNotCure(t *testing.T) {
	t.Parallel()
	remove := func(t *testing.T, k *kafkatest.Kafka) {
		t.Helper()
		if _, err := kadm.NewClient(k.Client).DeleteTopics(t.Context(), k.Topics.Waiting); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name string
		does func(t *testing.T, k *kafkatest.Kafka)
		want string
	}{
		{"deleted", remove, "topics [orders.waiting] were deleted while this ran: "},
		{"created again", func(t *testing.T, k *kafkatest.Kafka) {
			remove(t, k)
			if _, err := kafka.Create(t.Context(), k.Client, k.Topics, kafkatest.Partitions, 0); err != nil {
				t.Fatal(err)
			}
		}, "topics [orders.waiting] were deleted and created again while this ran: "},
		{"denied", func(_ *testing.T, k *kafkatest.Kafka) {
			k.Cluster.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
				k.Cluster.KeepControl()
				return refused(r.(*kmsg.MetadataRequest)), nil, true
			})
		}, ""},
		{"away", func(_ *testing.T, k *kafkatest.Kafka) { k.Away() }, ""},
		{"nothing", func(*testing.T, *kafkatest.Kafka) {}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := kafkatest.Start(t)
				layout, err := kafka.Check(t.Context(), k.Client, k.Topics)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				row.does(t, k)
				err = layout.Watch(ctx, k.Client, slog.New(slog.DiscardHandler), func(err error) { t.Errorf("got %v, want no partitions to change", err) })
				if got := fmt.Sprint(err); !strings.Contains(got, row.want) || (err == nil) != (row.want == "") {
					t.Errorf("got %v, want %q", err, row.want)
				}
				cancel()
				k.Client.Close()
			})
		})
	}
}

// refused is the answer of a broker that lets the client see no topic.
func refused(r *kmsg.MetadataRequest) *kmsg.MetadataResponse {
	resp := r.ResponseKind().(*kmsg.MetadataResponse)
	for _, t := range r.Topics {
		of := kmsg.NewMetadataResponseTopic()
		of.Topic, of.ErrorCode = t.Topic, kerr.TopicAuthorizationFailed.Code
		resp.Topics = append(resp.Topics, of)
	}
	return resp
}

func TestInsistTellsOfARepeatingErrorOnceAMinuteAndEndsWithAFinalOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began, tries, told := time.Now(), 0, 0
		err := kafka.Insist(t.Context(), func() error {
			tries++
			if time.Since(began) > 150*time.Second {
				return kerr.MessageTooLarge
			}
			return kerr.NotLeaderForPartition
		}, func(error) { told++ })
		if !errors.Is(err, kerr.MessageTooLarge) || told != 3 || tries < 60 || tries > 150 {
			t.Errorf("got %v, told %d times of %d tries, want it refused, 3 of about 80", err, told, tries)
		}
		began = time.Now()
		err = kafka.Insist(t.Context(), func() error { return kerr.UnknownTopicOrPartition }, func(error) {})
		if took := time.Since(began); kafka.Classify(err) != kafka.TopicGone || took < 10*time.Second || took > 15*time.Second {
			t.Errorf("got %v after %s, want the topic gone after 10 s", err, took)
		}
	})
}
