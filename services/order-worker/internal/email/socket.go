package email

import (
	"context"
	"net"
)

// socket asks before every write whether the mail in hand may still be sent: a worker that was stopped in the middle of
// one, and wakes when the order belongs to another, must not finish it.
type socket struct {
	net.Conn
	mail    context.Context //nolint:containedctx // net.Conn has no other way in: of the mail in hand, or nil
	refused error           // why a write of the mail in hand was refused, or nil
}

// Write is refused with the error of the mail's context, asked at the last moment. That ends the connection, because go-mail
// would wait for the answer to what was not sent.
func (s *socket) Write(b []byte) (int, error) {
	if s.mail == nil {
		return s.Conn.Write(b)
	}
	if err := s.mail.Err(); err != nil {
		s.refused = err
		s.Conn.Close()
		return 0, err
	}
	return s.Conn.Write(b)
}
