package telemetry

// The keys of attributes, each with one meaning in every program.
const (
	Order     = "order"     // an order's ID
	Letter    = "letter"    // a letter's ID, "3-124"
	Topic     = "topic"     // a topic's name
	Partition = "partition" // a partition's number
	Offset    = "offset"    // of a record in its partition
	Owner     = "owner"     // a worker's claim: its fencing token
	Worker    = "worker"    // a worker's name
	Outcome   = "outcome"   // how an attempt at an order ended
	Status    = "status"    // where an order is on its way
	Step      = "step"      // of the pipeline
	Class     = "class"     // of a failure
	Reason    = "reason"    // of a failure
	Attempt   = "attempt"   // 1 is the first
	Replay    = "replay"    // number of a replay
	Took      = "took"      // a duration
	Count     = "count"     // of whatever the message names
	Address   = "address"   // on which a program listens, or that it dials
	Error     = "error"     // the text of an error
)
