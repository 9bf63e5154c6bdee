package order_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/order"
)

// newer is a status of a newer version.
const newer order.Status = "newer"

func record(t *testing.T, s *order.State, c order.Change) {
	t.Helper()
	if err := s.Record(c); err != nil {
		t.Fatal(err)
	}
}

func TestFinalAndParkedStatuses(t *testing.T) {
	t.Parallel()
	final, parked := map[order.Status]bool{}, map[order.Status]bool{}
	for _, s := range append(order.Statuses(), newer) {
		final[s], parked[s] = s.Final(), s.Parked()
	}
	want := map[order.Status]bool{
		order.Accepted: false, order.Working: false, order.Mailing: false, order.Retrying: false, order.Waiting: false,
		order.Confirmed: true, order.Dead: true, order.Cancelled: true, newer: false,
	}
	if diff := cmp.Diff(want, final); diff != "" {
		t.Errorf("final (-want +got):\n%s", diff)
	}
	for s := range want {
		want[s] = s == order.Retrying || s == order.Waiting
	}
	if diff := cmp.Diff(want, parked); diff != "" {
		t.Errorf("parked (-want +got):\n%s", diff)
	}
}

func TestStatusesHaveAWriter(t *testing.T) {
	t.Parallel()
	got := map[string][]order.Status{}
	for _, s := range append(order.Statuses(), newer) {
		got[s.Writer()] = append(got[s.Writer()], s)
	}
	want := map[string][]order.Status{
		order.API:    {order.Accepted},
		order.Worker: {order.Working, order.Mailing, order.Retrying, order.Waiting, order.Confirmed, order.Dead, order.Cancelled},
		"":           {newer},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statuses by writer (-want +got):\n%s", diff)
	}
}

// TestRecordRefusesWhatTheLifecycleDoesNotAllow states the transitions in its own words: by what
// makes a worker or an operator change the status.
func TestRecordRefusesWhatTheLifecycleDoesNotAllow(t *testing.T) {
	t.Parallel()
	all := append(order.Statuses(), newer)
	unfinished := []order.Status{order.Accepted, order.Working, order.Mailing, order.Retrying, order.Waiting}
	inProgress := append(unfinished, order.Dead, newer) // a dead order is, once it is replayed
	type pair struct{ From, To order.Status }
	want := map[pair]bool{}
	allow := func(to order.Status, from ...order.Status) {
		for _, s := range from {
			want[pair{s, to}] = true
		}
	}
	for _, to := range []order.Status{order.Retrying, order.Waiting, order.Dead, order.Confirmed, order.Mailing} {
		allow(to, inProgress...)
	}
	allow(order.Working, order.Accepted, order.Retrying, order.Waiting, order.Dead, newer)
	allow(order.Working, order.Mailing) // a stopping worker withdraws its intent
	allow(order.Cancelled, order.Accepted, order.Working, order.Retrying, order.Waiting, order.Dead, newer)
	allow(order.Accepted, newer) // nothing is known of its lifecycle

	got := map[pair]bool{}
	for _, from := range all {
		for _, to := range all {
			s := order.State{Status: from, Rev: 4}
			err := s.Record(order.Change{Rev: 5, Status: to, Reason: "mail-busy"})
			switch {
			case err == nil && s.Status == to && s.Rev == 5 && len(s.Timeline) == 1:
				got[pair{from, to}] = true
			case !errors.Is(err, order.ErrTransition) || s.Status != from || s.Rev != 4 || s.Timeline != nil:
				t.Errorf("%s to %s: got %v and state %+v, want the change, or ErrTransition and no change", from, to, err, s)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("allowed transitions (-want +got):\n%s", diff)
	}
}

func TestAnAnswerRepeatsTheStatus(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{order.AlreadyDone, order.Conflict, order.CancelRefused, order.EditRefused} {
		for _, from := range append(order.Statuses(), newer) {
			for _, to := range append(order.Statuses(), newer) {
				s := order.State{Status: from}
				if err := s.Record(order.Change{Rev: 1, Status: to, Reason: reason}); (err == nil) != (from == to) {
					t.Errorf("answer %s with status %s to an order that is %s: got %v", reason, to, from, err)
				}
			}
		}
	}
}
