// Package system has the types of what the API says of the whole system (GET /v1/stats): what has to be
// done, how fast it is done, and by which workers. Its JSON is the contract in openapi.yaml.
package system

import "time"

// Stats is the whole system at a time: what has to be done, how fast it is done, and by which workers.
// A pointer that is nil is a value that is not known at the moment.
type Stats struct {
	At          time.Time    `json:"at"`
	Rev         int64        `json:"rev"` // At in Unix milliseconds
	Promise     Promise      `json:"promise"`
	Rates       Rates        `json:"rates"`
	Latency     *Latency     `json:"latency"` // nil: no order was confirmed in the last 5 minutes
	Orders      *Orders      `json:"orders"`
	DeadLetters *DeadLetters `json:"dead_letters"`
	InFlight    int          `json:"in_flight"` // orders, in all live workers
	Slots       int          `json:"slots"`     // limit of InFlight
	Unowned     int          `json:"unowned"`   // partitions without an owner
	Blocked     int          `json:"blocked"`   // partitions
	// ReadModel is how far the read model of this API is behind the topics.
	ReadModel struct {
		Lag   int64      `json:"lag"`      // records
		Fresh *time.Time `json:"fresh_at"` // when nothing was missing last; nil: not since the start
	} `json:"read_model"`
	Workers      []Worker     `json:"workers"`    // the oldest first
	Partitions   []Partition  `json:"partitions"` // by number
	Dependencies []Dependency `json:"dependencies"`
	Kafka        *Kafka       `json:"kafka"`
	Topics       []Topic      `json:"topics"`
	Jobs         []Job        `json:"jobs"`    // that are not done; nil: not known
	Changes      []Change     `json:"changes"` // the newest first
	Points       []Point      `json:"points"`  // the oldest first
}

// Promise is whether orders are begun in time.
type Promise struct {
	LimitSeconds     float64  `json:"limit_seconds"`      // of the age at which new orders are refused; 0: never
	OldestAgeSeconds *float64 `json:"oldest_age_seconds"` // of the oldest order that no worker has begun; nil: there is none, or it is not known
	OldestKnown      bool     `json:"oldest_known"`       // whether nil is that there is none
	Refusing         bool     `json:"refusing"`           // new orders are refused now
	Why              string   `json:"why,omitempty"`      // backpressure or blocked
}

// Rates are orders a second, over the last minute.
type Rates struct {
	Placed    float64 `json:"placed"`
	Confirmed float64 `json:"confirmed"`
}

// Latency are the seconds from placed to mailed, of the orders of the last 5 minutes.
type Latency struct {
	Orders int           `json:"orders"`
	P50    float64       `json:"p50_seconds"`
	P95    float64       `json:"p95_seconds"`
	P99    float64       `json:"p99_seconds"`
	Steps  []StepLatency `json:"steps"` // in the order in which workers do them
}

// StepLatency are the seconds that a step took, of these orders. That of shipping has the wait for a worker.
type StepLatency struct {
	Step   string  `json:"step"`
	Orders int     `json:"orders"`
	P50    float64 `json:"p50_seconds"`
	P95    float64 `json:"p95_seconds"`
	P99    float64 `json:"p99_seconds"`
}

// Orders counts orders and refunds by status.
type Orders struct {
	Accepted int `json:"accepted"`
	Working  int `json:"working"`
	Mailing  int `json:"mailing"`
	Retrying int `json:"retrying"`
	Waiting  int `json:"waiting"`
	Dead     int `json:"dead"`
}

// DeadLetters counts the dead letters that an operator has to decide about.
type DeadLetters struct {
	Open      int `json:"open"`
	Uncertain int `json:"uncertain"` // of them: the outcome of the mail is unknown
}

// Worker is a worker.
type Worker struct {
	ID           string    `json:"id"`
	Host         string    `json:"host"`
	PID          int       `json:"pid"`
	Version      string    `json:"version"`
	State        string    `json:"state"` // live or silent
	StartedAt    time.Time `json:"started_at"`
	SeenAt       time.Time `json:"seen_at"`
	LeaseSeconds float64   `json:"lease_seconds"` // left at SeenAt
	InFlight     int       `json:"in_flight"`
	Slots        int       `json:"slots"`
	Partitions   []int32   `json:"partitions"`
}

// Partition is a partition number, over all topics.
type Partition struct {
	Number   int32   `json:"number"`
	Owner    *string `json:"owner"` // ID of a worker
	State    *string `json:"state"` // assigned, restoring, running, blocked, draining; nil without an owner
	Reason   string  `json:"reason,omitempty"`
	InFlight int     `json:"in_flight"`
	Lag      *int64  `json:"lag"` // records that the workers have not finished
}

// Dependency is a dependency of the workers, as their circuit breakers see it.
type Dependency struct {
	Name      string     `json:"name"`
	State     string     `json:"state"`      // the worst: open, half-open or closed
	Since     *time.Time `json:"since"`      // when orders began to wait, or to continue; nil: it was never down
	NextProbe *time.Time `json:"next_probe"` // when the next order is tried; nil: it is not down
	Reason    string     `json:"reason,omitempty"`
	Down      int        `json:"down"` // workers that do not try orders
	Workers   int        `json:"workers"`
}

// Kafka is the cluster. A broker that is down counts if it has a replica of the topics.
type Kafka struct {
	Up      int `json:"up"`      // brokers
	Brokers int `json:"brokers"` // all
}

// Topic is a topic.
type Topic struct {
	Name       string `json:"name"`
	Partitions int    `json:"partitions"`
	Records    *int64 `json:"records"` // offsets that the topic has
	Bytes      *int64 `json:"bytes"`   // on disk, without copies, at most a minute ago
	Kept       *Kept  `json:"kept"`
	Lag        *int64 `json:"lag"` // records that the workers have not finished; nil also of topics that they do not commit
}

// Kept is how long Kafka keeps records of a topic.
type Kept struct {
	Compacted bool  `json:"compacted"` // the newest of each key
	Seconds   int64 `json:"seconds"`   // 0: for ever
}

// Job is a replay job that is not done.
type Job struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	State     string    `json:"state"` // running, paused or halted
	StartedAt time.Time `json:"started_at"`
	By        string    `json:"by"`
	Total     int       `json:"total"`
	Done      int       `json:"done"` // sent or skipped
}

// Change is something that happened.
type Change struct {
	At         time.Time `json:"at"`
	Kind       string    `json:"kind"`
	Worker     string    `json:"worker,omitempty"` // ID
	Host       string    `json:"host,omitempty"`   // of the worker
	Partitions []int32   `json:"partitions,omitempty"`
	Dependency string    `json:"dependency,omitempty"`
	Job        string    `json:"job,omitempty"`
	Reason     string    `json:"reason,omitempty"`
}

// Point is a stretch of 5 seconds.
type Point struct {
	At               time.Time `json:"at"`        // its end
	Placed           float64   `json:"placed"`    // orders a second
	Confirmed        float64   `json:"confirmed"` // orders a second
	OldestAgeSeconds *float64  `json:"oldest_age_seconds"`
}
