//go:build synctests

package pipeline_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/order"
)

// killedLoading is a worker that is killed while Kafka does not answer its read of the document that it is about to mail.
func (l *line) killedLoading(t *testing.T) context.Context {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	l.email.plan = func(context.Context, *order.Work) error {
		time.AfterFunc(time.Minute, kill)
		l.Cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
			if ctx.Err() != nil {
				l.Cluster.DropControl()
				return nil, nil, false
			}
			l.Cluster.KeepControl()
			return nil, errors.New("away"), true
		})
		l.email.plan = nil
		return nil
	}
	return ctx
}

func TestDocumentIsLoadedBeforeTheIntentToMailIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := setup(t).patient()
		l.outage()
		l.work(t, l.place(t, "ord_1"))
		carried, _ := l.next(t)
		l.restart() // the server is back
		if err := l.Handle(l.killedLoading(t), l.ledger, carried, l.stopping); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want %v", err, context.Canceled)
		}
		l.tells(t, "ord_1", "accepted", "working", "waiting mail-away")
		l.takeOver(t)
		l.work(t, carried)
		l.tells(t, "ord_1", "accepted", "working", "waiting mail-away", "mailing", "confirmed")
		if n := l.uncertain(t, "ord_1"); n != 0 || l.email.done != 1 {
			t.Errorf("got %d mails, counted %d times as uncertain; want one mail, whose outcome is certain", l.email.done, n)
		}
	})
}
