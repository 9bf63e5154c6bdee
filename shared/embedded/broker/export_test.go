package broker

import (
	"net"
	"time"
)

// CloseWithin is Close with another bound.
func (b *Broker) CloseWithin(d time.Duration) error { return b.close(d) }

// MaxConns is the maximum number of connections of a listener.
const MaxConns = maxConns

// NewListener is a listener without a log.
func NewListener(ln net.Listener) net.Listener { return newListener(ln, nil) }
