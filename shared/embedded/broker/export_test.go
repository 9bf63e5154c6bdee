package broker

import "net"

// MaxConns is how many connections a listener lets in at once.
const MaxConns = maxConns

// NewListener is a listener without a log.
func NewListener(ln net.Listener) net.Listener { return newListener(ln, nil) }
