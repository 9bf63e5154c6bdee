package view

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"example.com/orders/shared/kafka"
)

// TestABacklogIsReadThatLostItsEnd has a partition that is shorter than it was, as after an unclean leader election.
func TestABacklogIsReadThatLostItsEnd(t *testing.T) {
	t.Parallel()
	p := kafka.Partition{Topic: "orders.status"}
	f := newFreshness(slog.New(slog.DiscardHandler), func() string { return "" }, func() {})
	end := func(at kafka.Offset) { f.measured(time.Now(), nil, map[kafka.Partition]kafka.Offset{p: at}) }
	end(kafka.Offset{At: 100})
	until := f.backlogOf(p.Topic, 10)
	for _, step := range []struct {
		name    string
		applied int64
		end     kafka.Offset
		want    bool
	}{
		{"half of it is read", 50, kafka.Offset{At: 200}, false},
		{"it is read, and more was written", 100, kafka.Offset{At: 200}, true},
		{"no leader", 50, kafka.Offset{Err: errors.New("no leader")}, true},
		{"its end is lost", 70, kafka.Offset{At: 80}, false},
		{"its end is lost, and the rest is read", 80, kafka.Offset{At: 80}, true},
	} {
		end(step.end)
		f.advance(map[kafka.Partition]Position{p: {Next: step.applied}})
		if got := f.has(until); got != step.want {
			t.Errorf("%s: got %t, want %t", step.name, got, step.want)
		}
	}
}
