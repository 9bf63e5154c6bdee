//go:build synctests

package group

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
)

func TestFlushWaitsForWhatWasPolledAndForNothingElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		cl, err := k.Config().Connect(t.Context(), kgo.ConsumeTopics(k.Topics.Orders), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		received, polling := make(chan struct{}), make(chan struct{})
		f := newFeed(cl, slog.New(slog.NewTextHandler(t.Output(), nil)), kafka.NewSpin(), receiver{
			between: func() {}, offer: func(string, int32, []*kgo.Record) { <-received },
		})
		f.flush() // no poll has begun

		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer close(polling)
			f.poll(ctx)
		}()
		k.Produce(t, &kgo.Record{Topic: k.Topics.Orders})
		time.Sleep(time.Minute) // it is polled, and about to be handed over

		var flushed atomic.Bool
		go func() {
			f.flush()
			flushed.Store(true)
		}()
		synctest.Wait()
		if flushed.Load() {
			t.Error("flushed while a record is about to be handed over")
		}
		received <- struct{}{}
		synctest.Wait()
		if !flushed.Load() {
			t.Error("not flushed, but all is handed over")
		}

		began := time.Now()
		f.flush() // a poll is in progress that would wait for ever
		if took := time.Since(began); took > 0 {
			t.Errorf("flushing nothing took %s, want no time", took)
		}
		k.Produce(t, &kgo.Record{Topic: k.Topics.Orders})
		received <- struct{}{} // it polls on
		cancel()
		<-polling
		f.flush() // polling has ended
	})
}
