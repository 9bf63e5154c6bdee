package email

import (
	"context"
	"net"
)

// socket checks the context of the mail in flight before every write: a worker that was suspended
// in the middle of a mail, and resumes after the partition was assigned to another worker, must not
// finish the mail.
type socket struct {
	net.Conn
	mail    context.Context //nolint:containedctx // net.Conn takes no context: of the mail in flight, or nil
	refused error           // why a write of the mail in flight was refused, or nil
}

// Write fails if the context of the mail has an error, and then closes the connection: go-mail
// would wait for an answer.
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
