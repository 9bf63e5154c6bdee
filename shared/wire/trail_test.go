package wire_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// trail is what wire.ReadTrail must find in a state.
func trail(s order.State) wire.Trail {
	t := wire.Trail{DeadLetter: s.DeadLetter}
	if i := s.Progress.Invoice; i != nil {
		t.Number, t.Total, t.Kept = i.Number, i.Total, i.Kept
	}
	if e := s.Progress.Email; e != nil {
		t.Uncertain = e.Uncertain
	}
	t.Changes = len(s.Timeline)
	for i, c := range s.Timeline {
		if c.Status.Parked() && !c.Answers() {
			t.Parked = c.Rev
		}
		if r := (wire.Replayed{Number: c.Replay, Job: c.Job}); c.Job != "" && !slices.Contains(t.Replays, r) {
			t.Replays = append(t.Replays, r)
		}
		for _, before := range s.Timeline[:i] {
			t.Torn = t.Torn || before.Replay == c.Replay && before.Job != c.Job && !before.Answers() && !c.Answers()
		}
	}
	return t
}

func TestATrailIsThatOfItsState(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawState(t)
		got, err := wire.ReadTrail(wire.State(s, 17))
		if diff := cmp.Diff(trail(s), got); diff != "" || err != nil {
			t.Errorf("%v, trail (-want +got):\n%s", err, diff)
		}
	})
}

// TestAnAnswerParksNoOrder holds that a carried record still goes with its state when somebody was answered since.
func TestAnAnswerParksNoOrder(t *testing.T) {
	t.Parallel()
	s := finished()
	kafkatest.Force(s, order.Change{Rev: 3, Status: order.Waiting, Reason: "mail-away"})
	for _, reason := range []string{order.Conflict, order.AlreadyDone, order.CancelRefused} {
		kafkatest.Record(t, s, order.Change{Rev: s.Rev + 1, Status: order.Waiting, Reason: reason})
	}
	if got, err := wire.ReadTrail(wire.State(*s, 17)); err != nil || got.Parked != 3 {
		t.Errorf("got rev %d, %v; want 3, at which it was parked", got.Parked, err)
	}
}

func TestATrailIsOfAStateThatThisVersionKnows(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]error{
		``:                               wire.ErrUndecodable,
		`{}`:                             wire.ErrUndecodable,
		`[]`:                             wire.ErrUndecodable,
		`{"schema":9,"progress":7}`:      wire.ErrNewer,
		`{"schema":1,"progress":7}`:      wire.ErrUndecodable,
		`{"schema":1,"timeline":7}`:      wire.ErrUndecodable,
		`{"schema":1,"dead_letter":"x"}`: wire.ErrUndecodable,
		`{"schema":1}`:                   nil,
	} {
		got, err := wire.ReadTrail(&kgo.Record{Value: []byte(value)})
		if diff := cmp.Diff(wire.Trail{}, got); diff != "" || !errors.Is(err, want) {
			t.Errorf("%s: got %+v, %v; want nothing and %v", value, got, err, want)
		}
	}
}

// FuzzReadTrail holds that the two readers of a state do not differ about any value that the stricter one takes.
func FuzzReadTrail(f *testing.F) {
	f.Add(wire.State(*finished(), 17).Value)
	f.Add([]byte(`{"schema":1,"order":` + plain + `,"timeline":[{}],"progress":{"invoice":{"number":"x"}},"Progress":{}}`))
	f.Add([]byte(`{"ſchema":1,"order":` + plain + `,"timeline":[{"status":"waiting","rev":1}],` +
		`"TIMELINE":[{},{"status":"retrying","rev":2}],"progress":{"email":null,"Email":{"uncertain":2},"invoice":null,"Invoice":{"number":"x","net":null}}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		r := &kgo.Record{Value: value}
		s, err := wire.ReadState(r)
		got, err2 := wire.ReadTrail(r)
		if err != nil {
			return
		}
		if diff := cmp.Diff(trail(s), got); diff != "" || err2 != nil {
			t.Errorf("%s: %v, trail (-want +got):\n%s", value, err2, diff)
		}
	})
}
