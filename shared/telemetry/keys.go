package telemetry

// The keys of log attributes. Each has one meaning in all programs, and a row in docs/operations.md.
const (
	Act        = "act"         // ID of an act of the audit trail, or its kind
	Order      = "order"       // ID of an order
	Job        = "job"         // ID of a replay job
	DeadLetter = "dead_letter" // ID of a dead letter
	Deadline   = "deadline"    // when something ends by itself
	Topic      = "topic"       // name of a topic
	Partition  = "partition"   // number of a partition
	Partitions = "partitions"  // numbers of several partitions
	Offset     = "offset"      // offset of a record
	Outcome    = "outcome"     // how an attempt to process an order ended
	Step       = "step"        // step of the pipeline
	Reason     = "reason"      // reason of a failure
	Took       = "took"        // duration
	From       = "from"        // first offset of a range
	To         = "to"          // offset after the range
	Count      = "count"       // number of what the line is about
	Records    = "records"     // number of records read
	Total      = "total"       // number of records that there are to read
	Rate       = "rate"        // records a second
	Left       = "left"        // estimated duration until something ends
	Topics     = "topics"      // of several topics: the records read, and those that there are
	Void       = "void"        // number of stale (fenced) records
	File       = "file"        // path of a file
	Address    = "address"     // address to listen on or to dial
	Request    = "request"     // ID of an HTTP request, as in the response header
	Route      = "route"       // route pattern of an HTTP request
	Status     = "status"      // status code of an HTTP response
	Breaker    = "breaker"     // the dependency of a circuit breaker
	State      = "state"       // state of a circuit breaker or a partition
	Was        = "was"         // state before
	Waiting    = "waiting"     // what is being waited for
	Process    = "process"     // ID of a process
	Exit       = "exit"        // exit status or signal that a process ended with
	Characters = "characters"  // code points, as in Unicode: U+1F680
	Trace      = "trace_id"    // ID of the trace that the line belongs to
	Span       = "span_id"     // ID of the span in that trace
	Asked      = "asked"       // duration that a setting asks for
	Used       = "used"        // duration that is used instead
	Error      = "error"       // error text
)
