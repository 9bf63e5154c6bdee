package broker

import "net"

// MaxConns is the maximum number of connections of a listener.
const MaxConns = maxConns

// NewListener is a listener without a log.
func NewListener(ln net.Listener) net.Listener { return newListener(ln, nil) }
