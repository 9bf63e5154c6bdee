package kafkatest

import (
	"errors"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Away makes the brokers unreachable until back is called: every connection ends at its next request. What a client has
// sent before is unknown to it then, as it is in an outage.
func (k *Kafka) Away() (back func()) {
	var here atomic.Bool
	k.Cluster.ControlKey(-1, func(kmsg.Request) (kmsg.Response, error, bool) {
		if here.Load() {
			k.Cluster.DropControl()
			return nil, nil, false
		}
		k.Cluster.KeepControl()
		return nil, errors.New("away"), true
	})
	return func() { here.Store(true) }
}
