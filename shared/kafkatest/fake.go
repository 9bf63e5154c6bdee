package kafkatest

import "github.com/twmb/franz-go/pkg/kfake"

// Tests of services use these names: their modules do not require kfake.
type (
	// Fault is a fault that Cluster.Fault injects.
	Fault = kfake.Fault

	// Network is a network in memory, for servers and clients inside a synctest bubble.
	Network = kfake.VirtualNetwork
)
