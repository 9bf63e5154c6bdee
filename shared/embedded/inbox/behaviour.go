package inbox

import (
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Behaviour is a programmed fault of the SMTP server. The zero value is no fault.
type Behaviour struct {
	Down bool // Dial fails, open connections are closed, new TCP connections close before the greeting

	At     string        // "MAIL", "RCPT", "DATA" (after 354, nothing stored) or "." (stored, before the answer)
	Late   time.Duration // wait this long at the command At, at most until the next Behave,
	HangUp bool          // then close the connection
	Code   int           // or answer with this code, such as 451; zero: the normal answer
	Times  int           // how many times; zero: until the next Behave
}

// Behave sets the fault for all recipients. It replaces the previous one.
func (in *Inbox) Behave(b Behaviour) {
	in.faults.set(b)
	in.conns.shut(b.Down)
}

// faults holds the current Behaviour and counts how often it was applied. All connections use it,
// so the mutex guards the count.
type faults struct {
	mu       sync.Mutex
	b        Behaviour
	used     int
	replaced chan struct{} // closed when b is replaced
}

func (f *faults) set(b Behaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.replaced != nil {
		close(f.replaced)
	}
	f.b, f.used, f.replaced = b, 0, make(chan struct{})
}

// at returns the fault for a command, and counts it. The channel is closed when it is replaced.
func (f *faults) at(command string) (Behaviour, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.b.At != command || f.b.Times > 0 && f.used == f.b.Times {
		return Behaviour{}, nil
	}
	f.used++
	return f.b, f.replaced
}

// fault applies the fault for a command. It returns nil for the normal answer.
func (s *session) fault(command string) error {
	b, replaced := s.in.faults.at(command)
	if !s.in.wait(b.Late, replaced) {
		return errEnding
	}
	if b.HangUp {
		// The client does not receive this answer, but go-smtp needs an error to stop.
		s.conn.Conn().Close()
		return &smtp.SMTPError{Code: 421, Message: "connection closed"}
	}
	if b.Code != 0 {
		return &smtp.SMTPError{Code: b.Code, Message: "programmed fault"}
	}
	return nil
}

// wait waits for d, or until a channel is closed, and reports true. It reports false when the inbox
// ends.
func (in *Inbox) wait(d time.Duration, enough <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case <-late.C:
		return true
	case <-enough:
		return true
	case <-in.ending:
		return false
	}
}
