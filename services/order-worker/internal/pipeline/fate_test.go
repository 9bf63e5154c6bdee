//go:build synctests

package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// fate is what happens to two orders and their workers. What it does not name succeeds.
type fate struct {
	Hold    bool
	Mails   []string // how each mail ends
	Issues  []string // how each rendering ends
	Deaths  []int    // acknowledged writes after which the worker dies, each counted from its start
	Next    []int    // which of the records that are left is handled next
	Replays int      // of dead letters
	CallOff bool     // the customer of the first order cancels it
}

func drawFate(t *rapid.T) fate {
	ends := rapid.SampledFrom([]string{"ok", "busy", "away", "refused", "lost", "lost unseen", "killed", "killed unseen"})
	return fate{
		Hold:    rapid.Bool().Draw(t, "hold"),
		Mails:   rapid.SliceOfN(ends, 0, 12).Draw(t, "mails"),
		Issues:  rapid.SliceOfN(rapid.SampledFrom([]string{"ok", "busy", "refused", "killed"}), 0, 4).Draw(t, "issues"),
		Deaths:  rapid.SliceOfN(rapid.IntRange(1, 9), 0, 6).Draw(t, "deaths"),
		Next:    rapid.SliceOfN(rapid.IntRange(0, 9), 0, 30).Draw(t, "next"),
		Replays: rapid.IntRange(0, 2).Draw(t, "replays"),
		CallOff: rapid.Bool().Draw(t, "call off"),
	}
}

// take takes the first of what is left, or says what there is when nothing is.
func take[T any](from *[]T, otherwise T) T {
	if len(*from) == 0 {
		return otherwise
	}
	first := (*from)[0]
	*from = (*from)[1:]
	return first
}

// life works on two orders as their fate will have it, with one worker after the other.
type life struct {
	*line
	fate

	ctx    context.Context
	kill   context.CancelFunc
	writes int              // until this worker dies; or less than one
	left   []*kgo.Record    // not finished
	all    []*kgo.Record    // that ever came
	mailed map[order.ID]int // how often a customer got a mail
	asked  []wire.ReplayRequest
}

var errDied = errors.New("died")

// OnProduceRecordUnbuffered kills the worker behind a write that is acknowledged, and sees what it puts off.
func (l *life) OnProduceRecordUnbuffered(r *kgo.Record, err error) {
	if err != nil {
		return
	}
	switch r.Topic {
	case l.Topics.Orders, l.Topics.Replay, l.Topics.Retry10s, l.Topics.Retry2m, l.Topics.Waiting:
		l.left, l.all = append(l.left, r), append(l.all, r)
	}
	if l.writes--; l.writes == 0 {
		l.kill()
	}
}

// befall is how a step ends.
func (l *life) befall(end string, had func()) error {
	switch end {
	case "busy":
		return failure.New(failure.Transient, failure.MailBusy, errDied)
	case "away":
		return failure.New(failure.Down, failure.MailAway, errDied)
	case "refused":
		return failure.New(failure.Permanent, failure.MailRejected, errDied)
	case "lost", "lost unseen":
		if end == "lost" {
			had()
		}
		return failure.New(failure.Transient, failure.Uncertain, errDied)
	case "killed", "killed unseen":
		if end == "killed" {
			had()
		}
		l.kill()
		return context.Cause(l.ctx)
	}
	had()
	return nil
}

// live handles records until none is left. After a death the next worker finds all of them again: no offset was committed.
func (l *life) live(t *testing.T) {
	for rounds := 0; len(l.left) > 0 && rounds < 1000; rounds++ {
		i := take(&l.Next, 0) % len(l.left)
		r := l.left[i]
		l.left = slices.Delete(slices.Clone(l.left), i, i+1)
		time.Sleep(l.Topics.Delay(r.Topic) + 6*time.Second)
		if err := l.Handle(l.ctx, l.ledger, r, l.stopping); err != nil {
			if l.ctx.Err() == nil {
				t.Fatalf("%s offset %d: got %v, want it finished", r.Topic, r.Offset, err)
			}
		}
		if l.ctx.Err() != nil {
			l.left = slices.Clone(l.all)
			l.begin(t)
		}
		if len(l.left) == 0 && l.Replays > 0 && len(l.DeadLetters(t)) > 0 {
			l.Replays--
			l.askThrice(t)
		}
	}
}

// askThrice has two jobs and a person ask for the same replay.
func (l *life) askThrice(t *testing.T) {
	t.Helper()
	for _, job := range []string{"job_1", "", "job_2"} {
		q := replayOf(l.deadLetter(t))
		q.Job = job
		l.put(t, l.Topics.Replay, q.Record())
		l.asked = append(l.asked, *q)
	}
}

// unanswered are the requests that no change of an order names.
func (l *life) unanswered(t *testing.T) (complaints []string) {
	states := l.States(t)
	for _, q := range l.asked {
		named := func(c order.Change) bool { return c.Replay == q.Number && c.Job == q.Job }
		if s := states[order.ID(q.Key)]; !slices.ContainsFunc(s.Timeline, named) {
			complaints = append(complaints, fmt.Sprintf("%s (%v): got no answer to replay %d of %q", q.Key, l.story(t, order.ID(q.Key)), q.Number, q.Job))
		}
	}
	return complaints
}

// begin is another worker.
func (l *life) begin(t *testing.T) {
	l.ctx, l.kill = context.WithCancel(t.Context())
	l.writes = 0
	l.takeOver(t)
	l.writes = take(&l.Deaths, 0)
}

// TestEachOrderEndsOnceUnderRandomFaults is the promise of the package. Each run draws other fates; the name of one
// that fails is the seed that brings it back.
func TestEachOrderEndsOnceUnderRandomFaults(t *testing.T) {
	t.Parallel()
	fates := rapid.Custom(drawFate)
	for range 25 {
		seed := rand.Int()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			f := fates.Example(seed)
			synctest.Test(t, func(t *testing.T) {
				l := &life{line: setup(t), fate: f, mailed: map[order.ID]int{}}
				l.settle(t)
				l.live(t)
				for _, complaint := range append(l.judge(t), l.unanswered(t)...) {
					t.Errorf("%+v: %s", f, complaint)
				}
			})
		})
	}
}

// TestEachOfTwoRequestsForAReplayIsAnswered has two jobs ask for the same replay, and a worker that dies at each of its
// writes. The next owner reads either request first.
func TestEachOfTwoRequestsForAReplayIsAnswered(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"ok", "busy", "away", "refused"} {
		for death := 1; death < 7; death++ {
			for _, first := range []int{0, 3, 4} {
				t.Run(fmt.Sprint(end, death, first), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						l := &life{line: setup(t), fate: fate{Mails: []string{"refused", end, end, end}, Deaths: []int{0, death}}, mailed: map[order.ID]int{}}
						l.settle(t)
						l.live(t)
						l.begin(t)
						l.askThrice(t)
						l.Next = []int{0, first}
						l.live(t)
						for _, complaint := range append(l.judge(t), l.unanswered(t)...) {
							t.Error(complaint)
						}
					})
				})
			}
		}
	}
}

// settle places the orders, and has the first worker begin.
func (l *life) settle(t *testing.T) {
	t.Helper()
	l.settings.Hold, l.settings.Retry = l.Hold, retry.Policy{Retries: 2, For: 3 * time.Minute}
	l.restart()
	cl, err := l.Config().Connect(t.Context(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.AllowIdempotentProduceCancellation(), kgo.WithHooks(l))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	l.cfg.Producer, l.Client = cl, cl
	l.invoice.do = func(context.Context, *order.Work) error { return l.befall(take(&l.Issues, "ok"), func() {}) }
	l.email.do = func(_ context.Context, w *order.Work) error {
		return l.befall(take(&l.Mails, "ok"), func() { l.mailed[w.Order.ID]++ })
	}
	first := l.place(t, "ord_1")
	l.place(t, "ord_2")
	if l.CallOff {
		l.callOff(t, first)
	}
	l.begin(t)
}

// judge says what is not as promised.
func (l *life) judge(t *testing.T) (complaints []string) {
	states, invoices, voids := l.States(t), l.Invoices(t), l.voids(t)
	for _, id := range []order.ID{"ord_1", "ord_2"} {
		s := states[id]
		complain := func(format string, args ...any) {
			complaints = append(complaints, fmt.Sprintf("%s (%v): ", id, l.story(t, id))+fmt.Sprintf(format, args...))
		}
		var uncertain int
		if s.Progress.Email != nil {
			uncertain = s.Progress.Email.Uncertain
		}
		if got := len(invoices[id]); got > 1 || s.Status == order.Confirmed && got != 1 {
			complain("got %d invoices, want one", got)
		}
		if void := voids[fmt.Sprint(s.Origin.Offset)] != ""; void != (s.Status == order.Cancelled) {
			complain("got its number void: %t", void)
		}
		switch s.Status {
		case order.Cancelled:
			if l.mailed[id]+len(invoices[id]) > 0 {
				complain("got %d mails and %d invoices, want none", l.mailed[id], len(invoices[id]))
			}
		case order.Confirmed:
			if got := l.mailed[id]; got < 1 || got > 1+uncertain {
				complain("got %d mails, uncertain %d times; want one, and at most one more each time", got, uncertain)
			}
		case order.Dead:
			if got := l.mailed[id]; got > uncertain {
				complain("got %d mails, uncertain %d times; want at most one each time", got, uncertain)
			}
			if s.DeadLetter == nil {
				complain("got no dead letter")
			}
		default:
			complain("got %s, want it at an end", s.Status)
		}
	}
	return complaints
}
