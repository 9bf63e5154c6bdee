package email

import (
	"context"
	"net"
)

// socket asks before every write whether the mail in hand may still be sent: a worker that was stopped in the middle of
// one, and wakes when the order belongs to another, must not finish it.
type socket struct {
	net.Conn
	mail context.Context //nolint:containedctx // net.Conn has no other way in: of the mail in hand, or nil
}

// Write is refused with the error of the mail's context, asked at the last moment.
func (s *socket) Write(b []byte) (int, error) {
	if s.mail != nil && s.mail.Err() != nil {
		return 0, s.mail.Err()
	}
	return s.Conn.Write(b)
}
