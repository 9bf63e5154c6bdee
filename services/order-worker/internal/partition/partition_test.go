package partition_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"example.com/orders/services/order-worker/internal/metrics"
	"example.com/orders/services/order-worker/internal/partition"
)

// at brings a partition into a state by a way that is allowed.
func at(t *testing.T, log *slog.Logger, state partition.State) *partition.Partition {
	t.Helper()
	way := map[partition.State][]partition.State{
		partition.Assigned:  {},
		partition.Restoring: {partition.Restoring},
		partition.Running:   {partition.Restoring, partition.Running},
		partition.Blocked:   {partition.Restoring, partition.Blocked},
		partition.Draining:  {partition.Draining},
		partition.Released:  {partition.Draining, partition.Released},
	}
	p := partition.New(7, metrics.New(), log)
	for _, to := range way[state] {
		if !p.Set(to, errors.New("why")) {
			t.Fatalf("%s: refused on the way to %s", to, state)
		}
	}
	return p
}

func TestOnlyListedTransitionsChangeTheState(t *testing.T) {
	t.Parallel()
	all := []partition.State{
		partition.Assigned, partition.Restoring, partition.Running, partition.Blocked, partition.Draining, partition.Released,
	}
	allowed := map[partition.State][]partition.State{
		partition.Assigned:  {partition.Restoring, partition.Draining},
		partition.Restoring: {partition.Running, partition.Blocked, partition.Draining},
		partition.Running:   {partition.Blocked, partition.Draining},
		partition.Blocked:   {partition.Restoring, partition.Draining},
		partition.Draining:  {partition.Released},
	}
	for _, from := range all {
		for _, to := range all {
			p := at(t, slog.New(slog.DiscardHandler), from)
			want := slices.Contains(allowed[from], to)
			if got := p.Set(to, errors.New("why")); got != want {
				t.Errorf("%s to %s: got %t, want %t", from, to, got, want)
			}
			if got := p.Status().State; want && got != to || !want && got != from {
				t.Errorf("%s to %s: the state is %s", from, to, got)
			}
		}
	}
}

func TestOrdersBeginInARunningPartitionOnly(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	for _, state := range []partition.State{
		partition.Assigned, partition.Restoring, partition.Blocked, partition.Draining, partition.Released,
	} {
		if at(t, log, state).Begin() != nil {
			t.Errorf("an order begins in the state %s", state)
		}
	}
	p := at(t, log, partition.Running)
	<-p.Idle()
	first, second := p.Begin(), p.Begin()
	idle := p.Idle()
	p.Set(partition.Draining, nil)
	<-p.Draining()
	first()
	select {
	case <-idle:
		t.Error("idle with an order in flight")
	default:
	}
	if got := p.Status().InFlight; got != 1 {
		t.Errorf("got %d in flight, want 1", got)
	}
	second()
	<-idle
	<-p.Idle()
	p.Set(partition.Released, nil)
	<-p.Released()
}

func TestAPartitionStaysBlockedUntilItRunsAgain(t *testing.T) {
	t.Parallel()
	why := errors.New("lost records")
	for _, row := range []struct {
		to   []partition.State
		want error
	}{
		{nil, why},
		{[]partition.State{partition.Draining}, why},
		{[]partition.State{partition.Restoring}, why},
		{[]partition.State{partition.Restoring, partition.Running}, nil},
	} {
		p := at(t, slog.New(slog.DiscardHandler), partition.Running)
		p.Set(partition.Blocked, why)
		for _, to := range row.to {
			p.Set(to, nil)
		}
		if got := p.Status().Blocked; !errors.Is(got, row.want) {
			t.Errorf("%v: got %v, want %v", row.to, got, row.want)
		}
	}
}

func TestEveryTransitionIsLoggedWithItsReason(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	p := at(t, slog.New(slog.NewTextHandler(&text, nil)), partition.Running)
	p.Set(partition.Blocked, errors.New("lost records"))
	p.Set(partition.Running, nil) // refused
	if got := text.String(); strings.Count(got, "\n") != 3 ||
		!strings.HasSuffix(got, "msg=\"partition state changed\" partition=7 was=running state=blocked reason=\"lost records\"\n") {
		t.Errorf("logged %q", got)
	}
}
