package email_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/failure"
)

// refuse sends n mails to a number of domains in turn, and returns the classes of their failures in
// the order of sending.
func (s shop) refuse(t *testing.T, n, domains int) (classes []failure.Class) {
	t.Helper()
	for i := range n {
		err := s.mail(t.Context(), invoiced(fmt.Sprint(i), "Zoë", fmt.Sprintf("zoe@%d.example.com", i%domains)))
		if err == nil {
			t.Fatalf("mail %d: got nil, want it refused", i)
		}
		class, _ := failure.Of(err)
		classes = append(classes, class)
	}
	return classes
}

// downs counts the failures of class Down.
func downs(classes []failure.Class) (n int) {
	for _, c := range classes {
		if c == failure.Down {
			n++
		}
	}
	return n
}

func TestManyRefusalsCountAsServerDown(t *testing.T) {
	t.Parallel()
	busy := inbox.Behaviour{At: "RCPT", Code: 451}
	for _, row := range []struct {
		name       string
		b          inbox.Behaviour
		n, domains int
		downs      int
	}{
		{"20, three domains", busy, 20, 3, 0},
		{"21, three domains", busy, 21, 3, 1},
		{"30, ten domains", busy, 30, 10, 10},
		{"100, two domains", busy, 100, 2, 0},
		{"100, one domain", busy, 100, 1, 0},
		{"full", inbox.Behaviour{At: "DATA", Code: 452}, 30, 3, 10},
		{"dies of every mail", inbox.Behaviour{At: "DATA", HangUp: true}, 30, 3, 10},
		{"rejects all recipients", inbox.Behaviour{At: "RCPT", Code: 550}, 100, 3, 0},
		{"takes them, perhaps", inbox.Behaviour{At: ".", HangUp: true}, 100, 3, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := setup(t)
				s.inbox.Behave(row.b)
				if got := downs(s.refuse(t, row.n, row.domains)); got != row.downs {
					t.Errorf("got %d down, want %d", got, row.downs)
				}
			})
		})
	}
}

func TestAcceptedMailResetsRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		busy := inbox.Behaviour{At: "MAIL", Code: 450}
		s.inbox.Behave(busy)
		if got := downs(s.refuse(t, 25, 3)); got != 5 {
			t.Fatalf("got %d down, want 5", got)
		}
		s.inbox.Behave(inbox.Behaviour{At: "RCPT", Code: 550, Times: 1})
		s.refuse(t, 1, 1)
		s.inbox.Behave(busy)
		if got := downs(s.refuse(t, 1, 1)); got != 1 {
			t.Error("after a refused recipient: got one customer's failure, want it down still")
		}
		s.inbox.Behave(inbox.Behaviour{})
		if err := s.mail(t.Context(), invoiced("0", "Zoë", "zoe@example.com")); err != nil {
			t.Fatal(err)
		}
		s.inbox.Behave(busy)
		if got := downs(s.refuse(t, 25, 3)); got != 5 {
			t.Errorf("after an accepted mail: got %d down of 25, want 5", got)
		}
	})
}

func TestServerDownKeepsTheReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.inbox.Behave(inbox.Behaviour{At: "RCPT", Code: 451})
		s.refuse(t, 20, 3)
		err := s.mail(t.Context(), invoiced("1", "Zoë", "zoe@example.com"))
		if class, reason := failure.Of(err); class != failure.Down || reason != failure.MailBusy {
			t.Errorf("got %v %s, want %v %s", class, reason, failure.Down, failure.MailBusy)
		}
	})
}

func TestRefusalsAreCountedAcrossGoroutines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		s.inbox.Behave(inbox.Behaviour{At: "RCPT", Code: 451})
		classes := make([]failure.Class, 64)
		var g errgroup.Group
		for i := range classes {
			g.Go(func() error {
				err := s.mail(t.Context(), invoiced(fmt.Sprint(i), "Zoë", fmt.Sprintf("zoe@%d.example.com", i%8)))
				classes[i], _ = failure.Of(err)
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
		// Their number is certain: no 20 of 64 mails fit into two domains of eight.
		if got := downs(classes); got != 44 {
			t.Errorf("got %d down, want all but the first 20", got)
		}
	})
}
