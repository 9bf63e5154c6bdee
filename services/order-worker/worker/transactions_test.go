//go:build synctests

package worker_test

import (
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/kafkatest"
)

func TestReplaysOfTransactionsAreWorkedOnOnceCommitted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { replayInTransactions(t, kafkatest.Start(t)) })
}

func TestReplaysOfTransactionsAreWorkedOnOnceCommittedOnRealKafka(t *testing.T) {
	t.Parallel()
	replayInTransactions(t, kafkatest.Real(t))
}

// replayInTransactions has control records between the replays and after the last one. The commit watermark passes
// them without work, so no lag is left, and a restarted worker misses nothing.
func replayInTransactions(t *testing.T, k *kafkatest.Kafka) {
	s := openOn(t, k)
	s.mails.Behave(inbox.Behaviour{At: "RCPT", Code: 550})
	s.place(t, orders(1)...)
	stop := s.work(t)
	s.Await(t, ended(1))
	s.mails.Behave(inbox.Behaviour{})
	withdrawn := s.replay(t)
	for i := range withdrawn.Headers {
		if withdrawn.Headers[i].Key == "replay" {
			withdrawn.Headers[i].Value = []byte("7")
		}
	}
	s.Transact(t, kgo.TryAbort, withdrawn)
	s.Transact(t, kgo.TryCommit, s.replay(t))
	if got := s.Await(t, confirmed(id(0)))[id(0)].Replays; got != 1 {
		t.Errorf("got replay %d, want 1: that of the aborted transaction does not exist", got)
	}
	stop()
	s.committedAll(t)
	stop = s.work(t)
	s.place(t, orders(2)[1])
	s.Await(t, confirmed(id(1)))
	s.Transact(t, kgo.TryCommit, s.replay(t)) // again: it is done
	stop()
	s.confirmedOnce(t, 2)
}
