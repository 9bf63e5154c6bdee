package email_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/failure"
)

// frail is a connection that breaks after a number of written bytes.
type frail struct {
	net.Conn
	left *int
}

// Write writes the bytes that are left and then breaks the connection.
func (c frail) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b[:min(len(b), *c.left)])
	if *c.left -= n; *c.left == 0 {
		c.Conn.Close()
	}
	if err == nil && n < len(b) {
		err = net.ErrClosed
	}
	return n, err
}

// breaking makes the connections of a step break after a number of bytes in total.
func breaking(left *int) func(*email.Config) {
	return func(c *email.Config) {
		dial := c.Dial
		c.HELO = "shop.example.com"
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			return frail{conn, left}, err
		}
	}
}

// A mail is uncertain exactly if its last byte was sent and no answer came.
func TestUncertainOnlyIfAllWasSentAndNothingAnswered(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{"small": "%PDF", "large": strings.Repeat("%PDF", 20_000)} {
		whole := 1 << 20
		left := whole
		synctest.Test(t, func(t *testing.T) {
			w := invoiced("1", "Zoë", "zoe@example.com")
			w.Document = []byte(document)
			if err := setup(t, breaking(&left)).mail(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			whole -= left
		})
		for _, missing := range []int{0, 1, 2, 3, 4, 5, 6, 100, 1000, 4096, 5000} {
			synctest.Test(t, func(t *testing.T) {
				left := max(whole-missing, 1)
				s, w := setup(t, breaking(&left)), invoiced("1", "Zoë", "zoe@example.com")
				w.Document = []byte(document)
				err := s.mail(t.Context(), w)
				synctest.Wait() // the server keeps what it has
				_, reason := failure.Of(err)
				kept := s.inbox.Deliveries()[w.Progress.Email.MessageID]
				if err == nil || (reason == failure.Uncertain) != (missing == 0) || kept == 1 != (missing == 0) {
					t.Errorf("%s, %d bytes missing: got %v, %d kept", name, missing, err, kept)
				}
			})
		}
	}
}

// lapsing is a context like that of a lease: its Err returns an error for a while, and it is not
// cancelled.
type lapsing struct {
	context.Context
	from, to time.Time
}

var errLapsed = errors.New("lapsed")

// Err returns errLapsed for a while.
func (l lapsing) Err() error {
	if now := time.Now(); !now.Before(l.from) && now.Before(l.to) {
		return errLapsed
	}
	return l.Context.Err()
}

func TestExpiredLeaseStopsAMailInFlight(t *testing.T) {
	t.Parallel()
	const second = time.Second
	for _, row := range []struct {
		name     string
		from, to time.Duration // of the lapse
		at       string        // where the server takes ten seconds
		hangUp   bool          // and then hangs up
		want     error         // or nil
		reason   failure.Reason
		took     time.Duration
		kept     int
	}{
		{"before it begins", 0, second, "RCPT", false, errLapsed, failure.Internal, 0, 0},
		{"before its content", second, time.Hour, "RCPT", false, errLapsed, failure.Internal, 10 * second, 0},
		{"waiting for the answer", second, time.Hour, ".", false, nil, "", 10 * second, 1},
		{"waiting for an answer that never comes", second, time.Hour, ".", true, nil, failure.Uncertain, 10 * second, 1},
		{"and is back in time", second, 9 * second, "RCPT", false, nil, "", 10 * second, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, began := setup(t), time.Now()
				s.inbox.Behave(inbox.Behaviour{At: row.at, Late: 10 * time.Second, HangUp: row.hangUp})
				ctx := lapsing{t.Context(), began.Add(row.from), began.Add(row.to)}
				err := s.mail(ctx, invoiced("1", "Zoë", "zoe@example.com"))
				if _, reason := failure.Of(err); row.want != nil && err != row.want || (err == nil) != (row.reason == "") || err != nil && reason != row.reason {
					t.Errorf("got %v, want %v, %q", err, row.want, row.reason)
				}
				if took, kept := time.Since(began), len(s.inbox.Deliveries()); took != row.took || kept != row.kept {
					t.Errorf("took %s, kept %d; want %s and %d", took, kept, row.took, row.kept)
				}
			})
		})
	}
}

// After a refused write go-mail would wait for an answer, and the lease may be renewed by then.
func TestRefusedWriteFailsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, began := setup(t), time.Now()
		first := &once{Context: t.Context()}
		if err := s.mail(first, invoiced("1", "Zoë", "zoe@example.com")); err != nil {
			t.Fatal(err)
		}
		ctx := &once{Context: t.Context(), at: first.asked} // at the last write, whose error go-mail ignores
		if err := s.another(t).mail(ctx, invoiced("2", "Zoë", "zoe@example.com")); err != errLapsed {
			t.Errorf("got %v, want %v", err, errLapsed)
		}
		if took, kept := time.Since(began), len(s.inbox.Deliveries()); took != 0 || kept != 1 {
			t.Errorf("took %s, kept %d; want it at once, and the first one only", took, kept)
		}
	})
}

// once is a context whose Err returns an error at one call only.
type once struct {
	context.Context
	at, asked int
}

// Err counts its calls.
func (o *once) Err() error {
	if o.asked++; o.asked == o.at {
		return errLapsed
	}
	return o.Context.Err()
}

func TestAcceptedMailIsRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := setup(t), invoiced("1", "Zoë", "zoe@example.com")
		if err := s.mail(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		w.Document = nil // as when the order is read again
		if !s.Delivered(w) {
			t.Error("got an unknown mail, want it remembered: it was accepted")
		}
		w.Order.Customer.Email = "zoe@example.org" // changed by an operator, who then replays the dead letter
		if s.Delivered(w) {
			t.Error("got a mail known, want it not: it goes to another address")
		}
	})
}

func TestMailThatWasNotAcceptedIsNotRemembered(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]inbox.Behaviour{
		"refused": {At: "RCPT", Code: 550, Times: 1}, "busy": {At: "MAIL", Code: 450, Times: 1}, "uncertain": {At: ".", HangUp: true, Times: 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := setup(t)
			w := invoiced("1", "Zoë", "zoe@example.com")
			s.inbox.Behave(b)
			if err := s.mail(t.Context(), w); err == nil {
				t.Fatalf("%s: got nil, want an error", name)
			}
			if s.Delivered(w) {
				t.Errorf("%s: got a remembered mail, want it unknown: it was not accepted", name)
			}
		})
	}
}
