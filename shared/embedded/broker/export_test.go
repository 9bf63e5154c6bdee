package broker

import (
	"net"
	"time"
)

// Tests close brokers while the disk may be busy.
func init() { closing = 10 * time.Minute }

// MaxConns is the maximum number of connections of a listener.
const MaxConns = maxConns

// NewListener is a listener without a log.
func NewListener(ln net.Listener) net.Listener { return newListener(ln, nil) }
