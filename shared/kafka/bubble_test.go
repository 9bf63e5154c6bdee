//go:build synctests

package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/topic"
)

func TestADeadAddressIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	refused := errors.New("connection refused")
	for _, row := range []struct {
		name string
		dial func(context.Context) error
		want error
	}{
		{"no broker", func(context.Context) error { return refused }, refused},
		{"a black hole", blackHole, context.DeadlineExceeded},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			config := unreachable(row.dial)
			_, err := config.Connect(ctx)
			if !errors.Is(err, row.want) || !strings.HasPrefix(fmt.Sprint(err), "reaching Kafka at [192.0.2.1:9092 192.0.2.2:9092]: ") {
				t.Errorf("%s: got %v from Connect, want %v and the addresses", row.name, err, row.want)
			}
			if err := config.Read(ctx, "orders", 0, 0, 1, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: got %v from Read, want it to wait for as long as it may", row.name, err)
			}
			if _, err := one(ctx, t, config, "orders", 0, 0); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: got %v from One, want it to wait for as long as it may", row.name, err)
			}
		})
	}
}

func TestABlackHoleIsGivenTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := unreachable(blackHole).Connect(t.Context())
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 10*time.Second {
			t.Errorf("got %v after %v, want an error within 10 s", err, took)
		}
	})
}

func TestAppendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		cl, silent := producer(t, k), make(chan struct{})
		defer close(silent)
		errLost := errors.New("partition lost")
		ctx, cancel := context.WithCancelCause(t.Context())
		k.Cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			k.Cluster.KeepControl()
			cancel(errLost)
			k.Cluster.SleepControl(func() { <-silent })
			return nil, nil, false
		})
		began := time.Now()
		_, err := kafka.Append(ctx, cl, k.Topics.Status, 0, &kgo.Record{})
		if took := time.Since(began); !errors.Is(err, errLost) && !errors.Is(err, context.Canceled) || took > 0 {
			t.Errorf("got %v after %s, want %v at once", err, took, errLost)
		}
	})
}

func TestReadWaitsForBrokersThatAreAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		fill(t, k, k.Topics.Orders, "a")
		away, config := time.Now().Add(time.Hour), k.Config()
		dial := config.Dial
		config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if time.Now().Before(away) {
				return nil, errors.New("connection refused")
			}
			return dial(ctx, network, address)
		}
		r, err := one(t.Context(), t, config, k.Topics.Orders, 1, 0)
		if err != nil || string(r.Key) != "a" || time.Since(away) > time.Minute {
			t.Errorf("got %v, %v %v after the brokers were back; want the record within a minute", r, err, time.Since(away))
		}
	})
}

// TestCreateWaitsUntilTheBrokersKnowTheTopics has brokers that hear late of what the controller did, as real ones do.
func TestCreateWaitsUntilTheBrokersKnowTheTopics(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		late time.Duration
		want error
	}{
		{"a little late", time.Second, nil},
		{"never", time.Hour, context.DeadlineExceeded},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := kafkatest.Start(t)
			began := time.Now()
			k.Cluster.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
				k.Cluster.KeepControl()
				if time.Since(began) >= row.late {
					return nil, nil, false
				}
				return ignorant(r.(*kmsg.MetadataRequest)), nil, true
			})
			_, err := kafka.Create(t.Context(), k.Client, topic.Names("late"), 1, 1)
			if took := time.Since(began); !errors.Is(err, row.want) || took < min(row.late, 30*time.Second) || took > 31*time.Second {
				t.Errorf("%s: got %v after %v, want %v when the brokers know the topics or after 30 s", row.name, err, took, row.want)
			}
		})
	}
}

// ignorant is the answer of a broker that knows itself and no topic.
func ignorant(r *kmsg.MetadataRequest) *kmsg.MetadataResponse {
	answer := r.ResponseKind().(*kmsg.MetadataResponse)
	broker := kmsg.NewMetadataResponseBroker()
	broker.Host, broker.Port = "127.0.0.1", 9092
	answer.Brokers = append(answer.Brokers, broker)
	for _, asked := range r.Topics {
		t := kmsg.NewMetadataResponseTopic()
		t.Topic, t.ErrorCode = asked.Topic, kerr.UnknownTopicOrPartition.Code
		answer.Topics = append(answer.Topics, t)
	}
	return answer
}

// TestCheckNeedsNoCoordinator has a new cluster, whose groups have no coordinator yet: it cannot say
// what is authorized.
func TestCheckNeedsNoCoordinator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		k.Cluster.ControlKey(int16(kmsg.FindCoordinator), func(req kmsg.Request) (kmsg.Response, error, bool) {
			k.Cluster.KeepControl()
			answer := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
			answer.ErrorCode = kerr.CoordinatorNotAvailable.Code
			for _, key := range req.(*kmsg.FindCoordinatorRequest).CoordinatorKeys {
				c := kmsg.NewFindCoordinatorResponseCoordinator()
				c.Key, c.ErrorCode = key, kerr.CoordinatorNotAvailable.Code
				answer.Coordinators = append(answer.Coordinators, c)
			}
			return answer, nil, true
		})
		for name, grants := range map[string][]kafka.Grant{
			"api": kafka.APIGrants(k.Topics, "group"), "worker": kafka.WorkerGrants(k.Topics, "group"),
		} {
			if _, err := kafka.Check(t.Context(), k.Client, k.Topics, grants...); err != nil {
				t.Errorf("%s: got %v, want that it starts", name, err)
			}
		}
	})
}
