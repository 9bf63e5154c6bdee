package telemetry

// The keys of attributes, each with one meaning in every program.
const (
	Order      = "order"      // an order's ID
	Topic      = "topic"      // a topic's name
	Partition  = "partition"  // a partition's number
	Partitions = "partitions" // several numbers
	Offset     = "offset"     // of a record in its partition
	Outcome    = "outcome"    // how an attempt at an order ended
	Step       = "step"       // of the pipeline
	Reason     = "reason"     // of a failure
	Took       = "took"       // a duration
	From       = "from"       // the first offset of a stretch
	To         = "to"         // the offset behind it
	Count      = "count"      // of whatever the line is about
	Records    = "records"    // how many were read
	Void       = "void"       // how many records counted for nobody
	Address    = "address"    // on which a program listens, or that it dials
	Request    = "request"    // the ID that its answer carried too
	Route      = "route"      // of a request, with names in place of what varies
	Status     = "status"     // of an HTTP answer
	Breaker    = "breaker"    // the dependency that it guards
	State      = "state"      // of a breaker: closed, half-open, open
	Waiting    = "waiting"    // what cannot go on yet
	Error      = "error"      // what went wrong
)
