//go:build synctests

package kafka_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
)

func TestWatchNamesWhatIsDeniedOnceAMinuteAndContinuesWhenItIsGranted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		layout, err := kafka.Check(t.Context(), k.Client, k.Topics, kafka.APIGrants(k.Topics, "workers")...)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		granted := time.Now().Add(190 * time.Second)
		k.Cluster.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
			if time.Now().After(granted) {
				return nil, nil, false
			}
			k.Cluster.KeepControl()
			return refused(r.(*kmsg.MetadataRequest)), nil, true
		})
		err = layout.Watch(ctx, k.Client, slog.New(slog.NewTextHandler(&log, nil)), func(err error) { t.Errorf("got %v, want no partitions to change", err) })
		denials := strings.Count(log.String(), "Kafka denies access: waiting until it is granted")
		if err != nil || denials < 3 || denials > 4 || !strings.Contains(log.String(), "Read and Write and DescribeConfigs on topic orders,") ||
			strings.Count(log.String(), "Kafka grants access again") != 1 {
			t.Errorf("got %v, want 3 or 4 denials in 190 s and then the grant:\n%s", err, log.String())
		}
		cancel()
		k.Client.Close()
	})
}

func TestInsistWaitsWhileAccessIsDenied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began, tries, told := time.Now(), 0, 0
		err := kafka.Insist(t.Context(), func() error {
			if tries++; time.Since(began) > 150*time.Second {
				return nil
			}
			return kerr.GroupAuthorizationFailed
		}, func(error) { told++ })
		if err != nil || told != 3 || tries > 150 {
			t.Errorf("got %v, told %d times of %d tries, want 3 of about 80", err, told, tries)
		}
	})
}
