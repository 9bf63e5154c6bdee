package kafka_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
)

// unreachable are brokers at addresses that nobody has; dial says what becomes of a call.
func unreachable(dial func(context.Context) error) kafka.Config {
	return kafka.Config{
		Brokers: []string{"192.0.2.1:9092", "192.0.2.2:9092"},
		Dial:    func(ctx context.Context, _, _ string) (net.Conn, error) { return nil, dial(ctx) },
	}
}

// blackHole is a network that answers nothing, not even no.
func blackHole(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestAServerThatIsNoKafkaIsRefused(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() { // until the listener is closed
		defer close(served)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "220 mail.example.com ESMTP\r\n")
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-served })
	if _, err := (kafka.Config{Brokers: []string{listener.Addr().String()}}).Connect(t.Context()); err == nil {
		t.Error("a mail server was taken for Kafka, want an error")
	}
}

func TestSettingsThatContradictAreRefused(t *testing.T) {
	t.Parallel()
	_, err := kafka.Config{Brokers: []string{"127.0.0.1:9092"}}.Connect(t.Context(), kgo.ProducerBatchMaxBytes(1))
	if !strings.HasPrefix(fmt.Sprint(err), "configuring the Kafka client: ") {
		t.Errorf("got %v, want the settings refused", err)
	}
}

func TestTheClientLogsWhereItIsTold(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	config := kafkatest.Start(t).Config()
	config.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cl, err := config.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cl.Close()
	if !strings.Contains(log.String(), config.Brokers[0]) {
		t.Errorf("got log %q, want the broker in it", log.String())
	}
}
