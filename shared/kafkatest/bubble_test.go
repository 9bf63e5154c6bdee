//go:build synctests

package kafkatest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafkatest"
)

func TestHoursPassInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		produce := func() { k.Produce(t, &kgo.Record{Topic: k.Topics.Orders, Value: []byte("?")}) }
		produce()
		time.Sleep(24 * time.Hour)
		produce()
		records := k.Records(t, k.Topics.Orders)
		if len(records) != 2 || records[1].Timestamp.Sub(records[0].Timestamp) < 24*time.Hour {
			t.Errorf("got records %v, want two that are a day apart", records)
		}
		check(t, kafkatest.Start(t))
	})
}

func TestNothingIsAnsweredWhileKafkaIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t)
		produce := func() { k.Produce(t, &kgo.Record{Topic: k.Topics.Orders, Value: []byte("?")}) }
		produce()
		time.AfterFunc(time.Minute, k.Away())
		began := time.Now()
		produce() // sent, and so not given up
		if took := time.Since(began); took < time.Minute {
			t.Errorf("acknowledged after %s, want not before a minute", took)
		}
	})
}
