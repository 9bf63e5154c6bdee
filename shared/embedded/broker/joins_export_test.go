package broker

import (
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Open starts a broker in memory on a network in memory.
func Open(n *kfake.VirtualNetwork, addr string, opts ...kfake.Opt) (stop func(), err error) {
	ln, err := n.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return open(ln, opts, kgo.Dialer(n.DialContext))
}
