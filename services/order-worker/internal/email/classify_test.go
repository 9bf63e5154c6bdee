package email_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/failure"
)

func TestFailureClassOfAnswers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		b      inbox.Behaviour
		to     string
		class  failure.Class
		reason failure.Reason
	}{
		{"451 at RCPT", inbox.Behaviour{At: "RCPT", Code: 451}, "zoe@example.com", failure.Transient, failure.MailBusy},
		{"450 at MAIL", inbox.Behaviour{At: "MAIL", Code: 450}, "zoe@example.com", failure.Transient, failure.MailBusy},
		{"452 after DATA", inbox.Behaviour{At: "DATA", Code: 452}, "zoe@example.com", failure.Transient, failure.MailBusy},
		{"busy.test", inbox.Behaviour{}, "zoe@busy.test", failure.Transient, failure.MailBusy},
		{"refused.test", inbox.Behaviour{}, "zoe@refused.test", failure.Permanent, failure.RecipientRefused},
		{"553 at RCPT", inbox.Behaviour{At: "RCPT", Code: 553}, "zoe@example.com", failure.Permanent, failure.RecipientRefused},
		{"550 at MAIL", inbox.Behaviour{At: "MAIL", Code: 550}, "zoe@example.com", failure.Permanent, failure.MailRejected},
		{"554 after DATA", inbox.Behaviour{At: "DATA", Code: 554}, "zoe@example.com", failure.Permanent, failure.MailRejected},
		{"530 at MAIL", inbox.Behaviour{At: "MAIL", Code: 530}, "zoe@example.com", failure.Down, failure.MailAway},
		{"535 at RCPT", inbox.Behaviour{At: "RCPT", Code: 535}, "zoe@example.com", failure.Down, failure.MailAway},
		{"421 at MAIL", inbox.Behaviour{At: "MAIL", Code: 421}, "zoe@example.com", failure.Down, failure.MailAway},
		{"421 at RCPT", inbox.Behaviour{At: "RCPT", Code: 421}, "zoe@example.com", failure.Down, failure.MailAway},
		{"421 after DATA", inbox.Behaviour{At: "DATA", Code: 421}, "zoe@example.com", failure.Down, failure.MailAway},
		{"hangs up at MAIL", inbox.Behaviour{At: "MAIL", HangUp: true}, "zoe@example.com", failure.Down, failure.MailAway},
		{"hangs up at RCPT", inbox.Behaviour{At: "RCPT", HangUp: true}, "zoe@example.com", failure.Down, failure.MailAway},
		{"silent at RCPT", inbox.Behaviour{At: "RCPT", Late: time.Minute}, "zoe@example.com", failure.Down, failure.MailAway},
		{"hangs up in DATA", inbox.Behaviour{At: "DATA", HangUp: true}, "zoe@example.com", failure.Transient, failure.MailAway},
		{"silent in DATA", inbox.Behaviour{At: "DATA", Late: time.Minute}, "zoe@example.com", failure.Transient, failure.MailAway},
		{"451 after the dot", inbox.Behaviour{At: ".", Code: 451}, "zoe@example.com", failure.Transient, failure.MailBusy},
		{"554 after the dot", inbox.Behaviour{At: ".", Code: 554}, "zoe@example.com", failure.Permanent, failure.MailRejected},
		{"421 after the dot", inbox.Behaviour{At: ".", Code: 421}, "zoe@example.com", failure.Down, failure.MailAway},
		{"hangs up after the dot", inbox.Behaviour{At: ".", HangUp: true}, "zoe@example.com", failure.Transient, failure.Uncertain},
		{"silent after the dot", inbox.Behaviour{At: ".", Late: time.Minute}, "zoe@example.com", failure.Transient, failure.Uncertain},
		{"down", inbox.Behaviour{Down: true}, "zoe@example.com", failure.Down, failure.MailAway},
		{"no address", inbox.Behaviour{}, "zoe@example.com\r\nRCPT TO:<evil@example.com>", failure.Permanent, failure.RecipientRefused},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := setup(t)
				s.inbox.Behave(row.b)
				err := s.mail(t.Context(), invoiced("1", "Zoë", row.to))
				if err == nil {
					t.Fatal("got nil, want an error")
				}
				if class, reason := failure.Of(err); class != row.class || reason != row.reason {
					t.Errorf("got %s %s, want %s %s: %v", class, reason, row.class, row.reason, err)
				}
				if strings.Contains(err.Error(), "zoe@") {
					t.Errorf("the error tells the customer's address: %v", err)
				}
			})
		})
	}
}

func TestBusyAndSlowServersAcceptTheMailInTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		busy, slow := invoiced("1", "Zoë", "zoe@busy.test"), invoiced("2", "Zoë", "zoe@slow.test")
		for attempt := 1; attempt <= 3; attempt++ {
			if err := s.mail(t.Context(), busy); (err == nil) != (attempt == 3) {
				t.Errorf("busy, attempt %d: got %v", attempt, err)
			}
		}
		begun := time.Now()
		if err := s.mail(t.Context(), slow); err != nil || time.Since(begun) != 5*time.Second {
			t.Errorf("slow: got %v after %s, want nil after 5s", err, time.Since(begun))
		}
	})
}

func TestMailIsSentWhenTheServerIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		if err := s.mail(t.Context(), invoiced("1", "Zoë", "zoe@example.com")); err != nil {
			t.Fatal(err)
		}
		s.inbox.Behave(inbox.Behaviour{Down: true})
		err := s.mail(t.Context(), invoiced("2", "Zoë", "zoe@example.com"))
		if class, _ := failure.Of(err); err == nil || class != failure.Down {
			t.Errorf("while it is away: got %v, want it down", err)
		}
		s.inbox.Behave(inbox.Behaviour{})
		if err := s.mail(t.Context(), invoiced("2", "Zoë", "zoe@example.com")); err != nil {
			t.Errorf("when it is back: got %v, want nil", err)
		}
	})
}

func TestClosedIdleConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		while func(s shop) // one idle connection is in the pool
	}{
		{"the server was restarted", func(s shop) {
			s.inbox.Behave(inbox.Behaviour{Down: true})
			s.inbox.Behave(inbox.Behaviour{})
		}},
		{"the server says goodbye", func(s shop) { s.inbox.Behave(inbox.Behaviour{At: "MAIL", Code: 421, Times: 1}) }},
		{"the server is gone without a word", func(s shop) { s.inbox.Behave(inbox.Behaviour{At: "RCPT", HangUp: true, Times: 1}) }},
		{"it has lain for an hour", func(shop) { time.Sleep(time.Hour) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := setup(t)
				if err := s.mail(t.Context(), invoiced("1", "Zoë", "zoe@example.com")); err != nil {
					t.Fatal(err)
				}
				row.while(s)
				second := invoiced("2", "Zoë", "zoe@example.com")
				if err := s.mail(t.Context(), second); err != nil {
					t.Errorf("got %v, want nil", err)
				}
				if n := s.inbox.Deliveries()[second.Progress.Email.MessageID]; n != 1 {
					t.Errorf("delivered %d times, want once", n)
				}
			})
		})
	}
}

func TestMailWithoutAnswerIsNotSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		if err := s.mail(t.Context(), invoiced("1", "Zoë", "zoe@example.com")); err != nil { // leaves an idle connection
			t.Fatal(err)
		}
		s.inbox.Behave(inbox.Behaviour{At: ".", HangUp: true, Times: 1})
		w := invoiced("2", "Zoë", "zoe@example.com")
		if _, reason := failure.Of(s.mail(t.Context(), w)); reason != failure.Uncertain {
			t.Errorf("got %q, want it uncertain", reason)
		}
		if n := s.inbox.Deliveries()[w.Progress.Email.MessageID]; n != 1 {
			t.Errorf("delivered %d times, want once", n)
		}
	})
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var dialled atomic.Int32
		s := setup(t, func(c *email.Config) {
			dial := c.Dial
			c.Connections = 4
			c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				dialled.Add(1)
				return dial(ctx, network, address)
			}
		})
		s.inbox.Behave(inbox.Behaviour{At: ".", Late: time.Second})
		begun := time.Now()
		var g errgroup.Group
		for i := range 16 {
			g.Go(func() error { return s.mail(t.Context(), invoiced(string(rune('a'+i)), "Zoë", "zoe@example.com")) })
		}
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
		if n := dialled.Load(); n != 4 {
			t.Errorf("dialled %d times, want 4", n)
		}
		if took := time.Since(begun); took != 4*time.Second {
			t.Errorf("took %s, want 4s: four rounds of four", took)
		}
		if n := len(s.inbox.Deliveries()); n != 16 {
			t.Errorf("delivered %d mails, want 16", n)
		}
	})
}

func TestCancelledContextStopsASend(t *testing.T) {
	t.Parallel()
	errStop := errors.New("stopping")
	silent := func(c *email.Config) { c.Dial = dialSilence }
	for _, row := range []struct {
		name   string
		b      inbox.Behaviour
		change func(*email.Config)
		after  time.Duration
		kept   int
	}{
		{"before it begins", inbox.Behaviour{}, func(*email.Config) {}, 0, 0},
		{"while it connects", inbox.Behaviour{}, silent, time.Second, 0},
		{"at RCPT", inbox.Behaviour{At: "RCPT", Late: 20 * time.Second}, func(*email.Config) {}, time.Second, 0},
		{"after DATA", inbox.Behaviour{At: ".", Late: 20 * time.Second}, func(*email.Config) {}, time.Second, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := setup(t, row.change)
				s.inbox.Behave(row.b)
				ctx, cancel := context.WithCancelCause(t.Context())
				begun := time.Now()
				if row.after == 0 {
					cancel(errStop)
				}
				time.AfterFunc(row.after, func() { cancel(errStop) })

				if err := s.mail(ctx, invoiced("1", "Zoë", "zoe@example.com")); err != errStop {
					t.Errorf("got %v, want the cause, unmarked", err)
				}
				if took := time.Since(begun); took != row.after {
					t.Errorf("took %s, want %s", took, row.after)
				}
				if n := len(s.inbox.Deliveries()); n != row.kept {
					t.Errorf("delivered %d mails, want %d", n, row.kept)
				}
			})
		})
	}
}

// dialSilence connects to a server that never answers.
func dialSilence(context.Context, string, string) (net.Conn, error) {
	conn, _ := net.Pipe()
	return conn, nil
}

func TestCancelledContextSendsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		if err := s.mail(t.Context(), invoiced("1", "Zoë", "zoe@example.com")); err != nil { // leaves an idle connection
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 50 { // select chooses at random
			if err := s.mail(ctx, invoiced("2", "Zoë", "zoe@example.com")); err != context.Canceled {
				t.Fatalf("got %v, want %v", err, context.Canceled)
			}
		}
		if n := len(s.inbox.Deliveries()); n != 1 {
			t.Errorf("delivered %d mails, want 1", n)
		}
	})
}

func TestCancelledContextStopsWaitingForAConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(c *email.Config) { c.Connections = 1 })
		first := make(chan error, 1)
		go func() { first <- s.mail(context.Background(), invoiced("1", "Zoë", "zoe@slow.test")) }()
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.mail(ctx, invoiced("2", "Zoë", "zoe@example.com")); err != context.DeadlineExceeded {
			t.Errorf("second: got %v, want %v", err, context.DeadlineExceeded)
		}
		if err := <-first; err != nil {
			t.Errorf("first: got %v, want nil", err)
		}
	})
}

func TestSilentServerIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, func(c *email.Config) {
			c.Timeout = 10 * time.Second
			c.Dial = dialSilence
		})
		begun := time.Now()
		err := s.mail(t.Context(), invoiced("1", "Zoë", "zoe@example.com"))
		if class, reason := failure.Of(err); err == nil || class != failure.Down || reason != failure.MailAway {
			t.Errorf("got %v, want it down", err)
		}
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("took %s, want 10s", took)
		}
	})
}

func TestMailOverTCP(t *testing.T) {
	t.Parallel()
	in, err := inbox.Open(inbox.Config{SMTP: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})

	step, err := email.New(email.Config{SMTP: in.SMTPAddr(), From: "shop@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	defer step.Close()
	s := shop{step, in}
	for _, id := range []string{"1", "2", "3"} {
		if err := s.mail(t.Context(), invoiced(id, "Zoë", "zoe@example.com")); err != nil {
			t.Error(err)
		}
	}
	if n := len(in.Deliveries()); n != 3 {
		t.Errorf("delivered %d mails, want 3", n)
	}
}
