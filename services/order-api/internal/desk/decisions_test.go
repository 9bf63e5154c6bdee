package desk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// decisions are those of the bench, as the editor ann makes them.
func (b bench) decisions(t *testing.T) (*desk.Decisions, context.Context) {
	t.Helper()
	layout, err := kafka.Check(t.Context(), b.Client, b.Topics)
	must(t, err)
	shop, err := catalogue.Load("")
	must(t, err)
	ctx := identity.With(t.Context(), identity.Principal{ID: "ann", Role: identity.Editor})
	return desk.NewDecisions(b.desk, layout, shop.Price), ctx
}

// to is the document of the order with another country.
func to(t *testing.T, country string) []byte {
	t.Helper()
	r := wire.Order(placed)
	doc, err := edit.Document(r.Key, r.Value)
	must(t, err)
	return []byte(strings.Replace(string(doc), `"AQ"`, `"`+country+`"`, 1))
}

// invoiceless is a bench whose order has no invoice.
func invoiceless(t *testing.T) bench {
	t.Helper()
	return setupAfter(t, func(b bench) {
		b.dead.Progress.Invoice = nil
		kafkatest.Record(t, &b.dead, order.Change{Rev: 3, At: at, Status: order.Working, Replay: 1})
		kafkatest.Record(t, &b.dead, order.Change{Rev: 4, At: at, Status: order.Dead, Replay: 1})
		b.put(t, b.Topics.Status, wire.State(b.dead, 0))
	})
}

func TestReplayHasTheNewestVersion(t *testing.T) {
	t.Parallel()
	b := invoiceless(t)
	d, ctx := b.decisions(t)
	for version, country := range []string{"DE", "FR"} {
		n := desk.NewEdit{DeadLetter: "2-0", Version: version, Value: to(t, country), Reason: "to " + country}
		previewed, err := d.Preview(ctx, n)
		must(t, err)
		made, changed, err := d.Edit(ctx, n)
		if diff := cmp.Diff(previewed, made); diff != "" || made.Version != version+1 || len(made.Changes) != 1 || !changed || err != nil {
			t.Errorf("edit %d: got %+v, %v (-previewed +stored):\n%s", version+1, made, err, diff)
		}
		// An answer was lost: the same request again.
		if made, changed, err := d.Edit(ctx, n); made.Version != version+1 || changed || err != nil {
			t.Errorf("edit %d again: got %+v, %t, %v; want the version that there is", version+1, made, changed, err)
		}
	}
	_, err := b.desk.Replay(ctx, "2-0", false)
	must(t, err)
	got, err := wire.ReadReplayRequest(b.Records(t, b.Topics.Replay)[0])
	must(t, err)
	o, err := got.Order()
	if err != nil || o.ShipTo.Country != "FR" || o.ID != placed.ID || got.Edit != 2 || got.EditedBy.Actor.ID != "ann" || got.EditReason != "to FR" {
		t.Errorf("got version %d by %v, %q to %q, %v; want the newest", got.Edit, got.EditedBy, got.EditReason, o.ShipTo.Country, err)
	}
	l, err := b.view.DeadLetter(ctx, "2-0")
	must(t, err)
	h, err := b.desk.History(ctx, l)
	must(t, err)
	var told []string
	for _, e := range h.Edits {
		for _, c := range e.Changes {
			told = append(told, fmt.Sprintf("%d %s %s %s %s", e.Version, e.Text, c.Pointer, c.Before, c.After))
		}
	}
	want := []string{`1 to DE /ship_to/country "AQ" "DE"`, `2 to FR /ship_to/country "DE" "FR"`}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

// TestOfEditsOfOneVersionTheFirstCounts has editors who have all seen the original.
func TestOfEditsOfOneVersionTheFirstCounts(t *testing.T) {
	t.Parallel()
	b := invoiceless(t)
	d, ctx := b.decisions(t)
	countries := []string{"DE", "FR", "IT", "ES", "PL", "AT"}
	won := make([]error, len(countries))
	var g sync.WaitGroup
	for i, country := range countries {
		g.Go(func() {
			_, _, won[i] = d.Edit(ctx, desk.NewEdit{DeadLetter: "2-0", Value: to(t, country)})
		})
	}
	g.Wait()
	winner := ""
	for i, err := range won {
		conflict, ok := errors.AsType[*desk.ConflictError](err)
		switch {
		case err == nil && winner == "":
			winner = countries[i]
		case !ok || conflict.Newest != 1:
			t.Errorf("%s: got %v, want one winner, and conflicts with version 1", countries[i], err)
		}
	}
	l, err := b.view.DeadLetter(ctx, "2-0")
	must(t, err)
	if l.Edit == nil || l.Edit.Version != 1 || !strings.Contains(string(l.Edit.Value), `"`+winner+`"`) || winner == "" {
		t.Errorf("got %+v, want version 1 to %q", l.Edit, winner)
	}
}

// TestEditSurvivesACrashAfterEachOfItsRecords writes what an instance has written before it ends: the
// decision without its answer, and the replay request without its answer.
func TestEditSurvivesACrashAfterEachOfItsRecords(t *testing.T) {
	t.Parallel()
	b := invoiceless(t)
	d, ctx := b.decisions(t)
	l, err := b.view.DeadLetter(ctx, "2-0")
	must(t, err)
	patch, wrong := edit.ParsePatch([]byte(`[{"op":"replace","path":"/ship_to/country","value":"DE"}]`))
	fixed, err := d.Fix(ctx, l, patch)
	if err != nil || len(wrong) > 0 {
		t.Fatalf("got %v, %v", wrong, err)
	}
	layout, err := kafka.Check(ctx, b.Client, b.Topics)
	must(t, err)
	// Crash: the decision is written, and its answer is lost.
	written, err := kafka.Append(ctx, b.Client, b.Topics.Desk, layout.Partition([]byte("2-0")), fixed.Decision.Record())
	must(t, err)
	must(t, b.view.Desk(ctx, written.Partition, written.Offset+1))
	made, changed, err := d.Edit(ctx, desk.NewEdit{DeadLetter: "2-0", Value: to(t, "DE")})
	if made.Version != 1 || changed || err != nil {
		t.Errorf("the same edit after a crash: got %+v, %t, %v; want version 1, which there is", made, changed, err)
	}
	_, _, err = d.Edit(ctx, desk.NewEdit{DeadLetter: "2-0", Value: to(t, "FR")})
	if conflict, ok := errors.AsType[*desk.ConflictError](err); !ok || conflict.Newest != 1 {
		t.Errorf("another edit after a crash: got %v, want a conflict", err)
	}
	// Crash: the request is written, and its answer is lost; then the operator repeats it.
	for range 2 {
		number, err := b.desk.Replay(ctx, "2-0", false)
		if number != 1 || err != nil {
			t.Errorf("got replay %d, %v; want 1 again", number, err)
		}
	}
	// Crash of the view: another one reads all topics from the start.
	l, err = b.view.DeadLetter(ctx, "2-0")
	if err != nil || l.Edit == nil || l.Edit.ID != fixed.Decision.ID {
		t.Errorf("got %+v, %v; want the edit of the first request", l.Edit, err)
	}
}

func TestEditThatCannotBeWrittenChangesNothing(t *testing.T) {
	t.Parallel()
	b := invoiceless(t)
	d, ctx := b.decisions(t)
	back := b.Leaderless(b.Topics.Desk, 0, 1, 2)
	_, _, err := d.Edit(ctx, desk.NewEdit{DeadLetter: "2-0", Value: to(t, "DE")})
	if !errors.Is(err, view.ErrAway) && !errors.Is(err, view.ErrBehind) {
		t.Errorf("got %v, want ErrAway", err)
	}
	back()
	must(t, b.view.Fresh(ctx))
	made, _, err := d.Edit(ctx, desk.NewEdit{DeadLetter: "2-0", Value: to(t, "DE")})
	if made.Version != 1 || err != nil {
		t.Errorf("again: got %+v, %v; want version 1", made, err)
	}
}

func TestInvoicedOrdersAreLocked(t *testing.T) {
	t.Parallel()
	b := setupAfter(t, func(b bench) {
		b.dead.Progress.Invoice.Kept = &order.Kept{}
		kafkatest.Record(t, &b.dead, order.Change{Rev: 3, At: at, Status: order.Working, Replay: 1})
		kafkatest.Record(t, &b.dead, order.Change{Rev: 4, At: at, Status: order.Dead, Replay: 1})
		b.put(t, b.Topics.Status, wire.State(b.dead, 0))
	})
	d, ctx := b.decisions(t)
	_, _, err := d.Edit(ctx, desk.NewEdit{DeadLetter: "2-0", Value: to(t, "DE")})
	if locked, ok := errors.AsType[*edit.LockedError](err); !ok || locked.Pointers[0] != "/ship_to/country" {
		t.Errorf("got %v, want the country locked", err)
	}
	mailed := []byte(strings.Replace(string(to(t, "AQ")), "zoe@example.com", "zoe@example.test", 1))
	if made, _, err := d.Edit(ctx, desk.NewEdit{DeadLetter: "2-0", Value: mailed}); made.Version != 1 || err != nil {
		t.Errorf("another e-mail address: got %+v, %v; want it stored", made, err)
	}
}

func TestDiscardedDeadLetterIsNotReplayed(t *testing.T) {
	t.Parallel()
	b := invoiceless(t)
	d, ctx := b.decisions(t)
	for want := range 2 { // the second is harmless
		l, changed, err := d.Discard(ctx, "2-0", "Test order")
		if changed != (want == 0) || err != nil || l.State != view.Discarded || l.Discard.Text != "Test order" || l.Discard.Cause.Actor.ID != "ann" {
			t.Errorf("got %+v, %t, %v; want it discarded", l, changed, err)
		}
	}
	if _, err := b.desk.Replay(ctx, "2-0", true); !errors.Is(err, desk.ErrDiscarded) {
		t.Errorf("replay: got %v, want ErrDiscarded", err)
	}
	l, err := d.Restore(ctx, "2-0", "")
	if err != nil || l.State != view.Open {
		t.Errorf("restore: got %s, %v; want open", l.State, err)
	}
	if _, err := d.Restore(ctx, "2-0", ""); !errors.Is(err, desk.ErrNotDiscarded) {
		t.Errorf("restore again: got %v, want ErrNotDiscarded", err)
	}
	for _, err := range []error{ignore(d.Note(ctx, "9-9", "a")), ignore(d.Restore(ctx, "9-9", "")), ignore(d.NoteGroup(ctx, "cause_no", "a"))} {
		if !errors.Is(err, desk.ErrUnknown) && !errors.Is(err, desk.ErrUnknownGroup) {
			t.Errorf("unknown: got %v", err)
		}
	}
	for range 2 { // two notes with one text are two
		ignore(d.Note(ctx, "2-0", "Asked\nthe carrier"))
	}
	ignore(d.NoteGroup(ctx, l.CauseID, "All to Antarctica"))
	l, err = b.view.DeadLetter(ctx, "2-0")
	notes, err2 := b.view.Decisions(ctx, l.CauseID)
	if l.Notes != 2 || len(notes) != 1 || notes[0].Text != "All to Antarctica" || errors.Join(err, err2) != nil {
		t.Errorf("got %d notes, and %v of the cause; want 2 and one", l.Notes, notes)
	}
	if got := len(b.Records(t, b.Topics.Replay)); got != 0 {
		t.Errorf("got %d replays, want none", got)
	}
}

func ignore[T any](_ T, err error) error { return err }

func TestParkedDeadLetterNeedsAnOverride(t *testing.T) {
	t.Parallel()
	b := setupAfter(t, func(b bench) {
		l := b.deadLetter
		l.Replays = view.ParkAfter
		b.put(t, b.Topics.DLQ, l.Record())
	})
	if _, err := b.desk.Replay(t.Context(), "2-0", false); !errors.Is(err, desk.ErrParked) {
		t.Errorf("got %v, want ErrParked", err)
	}
	if number, err := b.desk.Replay(t.Context(), "2-0", true); number != view.ParkAfter+1 || err != nil {
		t.Errorf("override: got %d, %v", number, err)
	}
}

// TestEditedReplayedAndFailedAgain has the worker's answers of two versions.
func TestEditedReplayedAndFailedAgain(t *testing.T) {
	t.Parallel()
	b := invoiceless(t)
	d, ctx := b.decisions(t)
	_, _, err := d.Edit(ctx, desk.NewEdit{DeadLetter: "2-0", Value: to(t, "DE")})
	must(t, err)
	_, err = b.desk.Replay(ctx, "2-0", false)
	must(t, err)
	records := b.Records(t, b.Topics.Replay)
	request, err := wire.ReadReplayRequest(records[len(records)-1])
	must(t, err)
	again := dlq.DeadLetter{
		Source: request.Source, Topic: b.Topics.Orders, Step: order.StepEmail, Class: failure.Permanent, Reason: "refused-mailbox", Message: "no such mailbox",
		Attempts: 2, FirstFailed: at, LastFailed: at.AddDate(0, 0, 1), Replays: request.Number, Edit: request.Edit, Rev: 6,
	}
	edited, err := request.Order()
	must(t, err)
	s := b.state(t)
	s.Order, s.Edit = edited, request.Edit
	changes, stop := b.view.Watch("ord_1")
	defer stop()
	b.put(t, b.Topics.DLQ, again.Record())
	kafkatest.Record(t, &s, order.Change{Rev: s.Rev + 1, At: at, Status: order.Working, Replay: request.Number})
	kafkatest.Record(t, &s, order.Change{Rev: s.Rev + 1, At: at, Status: order.Dead, Replay: request.Number})
	b.put(t, b.Topics.Status, wire.State(s, 0))
	for {
		<-changes
		l, err := b.view.DeadLetter(ctx, "2-0")
		must(t, err)
		if l.Replays != request.Number || l.OrderRev != s.Rev {
			continue
		}
		h, err := b.desk.History(ctx, l)
		must(t, err)
		var told []string
		for _, f := range h.Failures {
			told = append(told, fmt.Sprintf("%d: version %d, %s", f.Number, f.Edit, f.Message))
		}
		want := []string{"0: version 0, no route to AQ", fmt.Sprintf("%d: version 1, no such mailbox", request.Number)}
		if diff := cmp.Diff(want, told); diff != "" || len(h.Edits) != 1 || len(h.Edits[0].Changes) != 1 {
			t.Errorf("edits %+v, failures (-want +got):\n%s", h.Edits, diff)
		}
		last := h.Replays[len(h.Replays)-1]
		if last.Version != 1 || last.Outcome != view.FailedAgain {
			t.Errorf("got %+v, want the replay of version 1 failed again", last)
		}
		return
	}
}

// state is the newest state of the order.
func (b bench) state(t *testing.T) order.State {
	t.Helper()
	s, err := b.view.Order(t.Context(), "ord_1")
	must(t, err)
	return s
}
