package inbox

import (
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Behaviour is what the SMTP server does wrong on purpose. The zero value is a server that works.
type Behaviour struct {
	Down bool // Dial is refused, open connections are cut, and new ones over TCP end before the greeting

	At     string        // where the rest happens: "MAIL", "RCPT", "DATA" (after 354; nothing is kept) or "." (kept, before its answer)
	Late   time.Duration // wait so long,
	HangUp bool          // then cut the connection
	Code   int           // or answer with this code, such as 451; zero: the usual answer
	Times  int           // how often; zero: until the next Behave
}

// Behave makes the server behave so from now on, whoever the recipient is. It replaces the Behaviour given before.
func (in *Inbox) Behave(b Behaviour) {
	in.faults.set(b)
	in.guests.shut(b.Down)
}

// faults hands out the behaviour of the moment. It is asked from as many goroutines as there are connections, so Times is
// counted under its lock: three means three, whoever comes first.
type faults struct {
	mu   sync.Mutex
	b    Behaviour
	used int
}

func (f *faults) set(b Behaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.b, f.used = b, 0
}

// at returns what to do wrong at a command.
func (f *faults) at(command string) Behaviour {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.b.At != command || f.b.Times > 0 && f.used == f.b.Times {
		return Behaviour{}
	}
	f.used++
	return f.b
}

// misbehave does what is to be done wrong at a command. A nil error is the usual answer.
func (s *session) misbehave(command string) error {
	b := s.in.faults.at(command)
	if !s.in.wait(b.Late) {
		return errEnding
	}
	if b.HangUp {
		// Whatever is answered after that reaches nobody, but the server needs an error so that it does not go on.
		s.conn.Conn().Close()
		return &smtp.SMTPError{Code: 421, Message: "nobody reads this"}
	}
	if b.Code != 0 {
		return &smtp.SMTPError{Code: b.Code, Message: "as the test asked"}
	}
	return nil
}

// wait reports whether the time passed before the inbox ended.
func (in *Inbox) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case <-late.C:
		return true
	case <-in.ending:
		return false
	}
}
