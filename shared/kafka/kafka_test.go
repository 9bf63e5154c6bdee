package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

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

func TestADeadAddressIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	refused := errors.New("connection refused")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for _, row := range []struct {
		name string
		dial func(context.Context) error
		want error
	}{
		{"nobody there", func(context.Context) error { return refused }, refused},
		{"a black hole", blackHole, context.DeadlineExceeded},
	} {
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
	}
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
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := (kafka.Config{Brokers: []string{listener.Addr().String()}}).Connect(ctx); err == nil {
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
