package broker

import (
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Open starts a broker in memory on a network in memory. Members is as in Config.
func Open(n *kfake.VirtualNetwork, addr string, members int, opts ...kfake.Opt) (stop func(), err error) {
	ln, err := n.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return open(ln, members, opts, kgo.Dialer(n.DialContext))
}
