//go:build synctests

package worker_test

import (
	"bytes"
	"testing"
	"time"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// editWindows are the rows of the table for replays of edited dead letters.
func editWindows() []window {
	const ok, dead = order.Confirmed, order.Dead
	return []window{
		{"edited replay to dead letter", edited("RU"), []kill{{false, "dead letter", 0}}, dead, 1, 0},
		{"edited replay: dead letter to dead", edited("RU"), []kill{{true, "dead letter", 0}, {false, "dead", 0}}, dead, 1, 0},
		{"edited replay: dead to commit", edited("RU"), []kill{{true, "dead", 0}, {false, "commit", 0}, {true, "commit", 0}}, dead, 1, 0},
		{"edited replay to working", edited("PL"), []kill{{false, "working", 1}}, ok, 1, 0},
		{"edited replay: working to invoice", edited("PL"), []kill{{true, "working", 1}, {false, "invoice", 1}}, ok, 1, 0},
		{"edited replay: invoice to mailing", edited("PL"), []kill{{true, "invoice", 1}, {false, "mailing", 1}}, ok, 1, 0},
		{"edited replay: confirmed to commit", edited("PL"), []kill{{true, "confirmed", 1}, {false, "commit", 1}, {true, "commit", 1}}, ok, 1, 0},
	}
}

// edited is a dead letter without a route whose order is edited to go to another country.
func edited(country string) func(*testing.T, *scene) {
	return func(t *testing.T, sc *scene) {
		noRoute(t, sc)
		sc.before(t)
		sc.source = sc.Topics.Replay
		first := sc.DeadLetters(t)[0]
		after := sc.victim
		after.ShipTo.Country = country
		value := append([]byte("\n "), wire.Order(after).Value...)
		sc.place = func() {
			q := wire.ReplayRequest{
				Source: first.Source, Placed: first.Cause, At: time.Now(), Number: 1, Rev: first.Rev, Attempts: first.Attempts, FirstFailed: first.FirstFailed,
				Progress: first.Progress, Job: "job_1", Edit: 1,
			}
			q.Value = value
			r := q.Record()
			r.Topic, r.Partition = sc.Topics.Replay, sc.partition
			sc.Produce(t, r)
		}
		sc.also = func() {
			t.Helper()
			s := sc.States(t)[sc.victim.ID]
			last := s.Timeline[len(s.Timeline)-1]
			if s.Order.ShipTo.Country != country || s.Edit != 1 || s.Replays != 1 || last.Job != "job_1" || last.Replay != 1 {
				t.Errorf("got %+v, want edit 1 of the job's replay", s)
			}
			all := sc.DeadLetters(t)
			if !bytes.Equal(all[0].Value, first.Value) || all[0].Edit != 0 {
				t.Errorf("got %s as the first dead letter, want what was placed", all[0].Value)
			}
			if l := all[len(all)-1]; s.Status == order.Dead && (!bytes.Equal(l.Value, value) || l.Edit != 1 || l.Job != "job_1" || l.Reason == "") {
				t.Errorf("got %+v as the last dead letter, want the edit and its failure", l)
			}
			for _, r := range sc.Records(t, sc.Topics.Orders) {
				if string(r.Key) == string(sc.victim.ID) && !bytes.Equal(r.Value, first.Value) {
					t.Errorf("got %s in orders, want what was placed", r.Value)
				}
			}
		}
	}
}
