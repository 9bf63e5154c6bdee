//go:build synctests

package kafka_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
)

func TestManyConcurrentAppendsAreSentTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		cl, silent := producer(t, k), make(chan struct{})
		k.Cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			k.Cluster.KeepControl()
			k.Cluster.SleepControl(func() { <-silent })
			return nil, nil, false
		})
		var gather kafka.Gather
		var appends errgroup.Group
		begin := func(n int) {
			for range n {
				appends.Go(func() error {
					_, err := gather.Append(t.Context(), cl, k.Topics.Status, 0, &kgo.Record{Value: []byte("v")})
					return err
				})
			}
			synctest.Wait()
		}
		handed := func(want int64) {
			t.Helper()
			if got := cl.BufferedProduceRecords(); got != want {
				t.Errorf("got %d records handed to the client, want %d", got, want)
			}
		}
		begin(8)
		handed(8)
		begin(20)
		handed(8)
		time.Sleep(4 * time.Millisecond)
		synctest.Wait()
		handed(28)
		close(silent)
		if err := appends.Wait(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		begin(1)
		if err, took := appends.Wait(), time.Since(began); err != nil || took > 0 {
			t.Errorf("got %v after %s for one record after the others, want it at once", err, took)
		}
	})
}
