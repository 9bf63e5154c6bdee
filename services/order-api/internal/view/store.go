package view

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Store keeps the tables of a view. One goroutine calls Resume, Reset and Apply, one at a time; all
// other methods are called concurrently, also with those. Before the first Resume or Reset has
// succeeded, and after a Reset has failed, all others return an UnavailableError. Times have a
// resolution of milliseconds. Package storetest has the tests that each store must pass.
//
// Several views may share a store, each with a Store of its own for it, and read the same topics. One of
// them writes. Apply of the others returns when that one has stored the batch; it is ErrMoved if the view
// is to write from now on.
//
// An error that is an *UnavailableError may pass, and the call is repeated. One that is ErrDamaged
// means that the contents are lost: the view calls Reset. Any other ends the view.
type Store interface {
	// Resume opens the store and returns how far each partition is applied. It returns nil when the
	// store is empty, or was filled from topics with other IDs or by another version.
	Resume(ctx context.Context, topics map[string]kadm.TopicID) (map[kafka.Partition]Position, error)
	// Reset empties the store, whatever it contains, to be filled from the topics with these IDs.
	// It does not return ErrDamaged. A view that does not write waits with it until the one that writes
	// has done it.
	Reset(ctx context.Context, topics map[string]kadm.TopicID) error
	// Apply makes all changes of a batch, in their sequence, and stores its positions, in one
	// transaction.
	Apply(ctx context.Context, b Batch) error
	// Check is ErrDamaged when the contents are gone in a way that Apply would not notice. While nothing is
	// written, it says as an *UnavailableError that the store cannot be read, if the store knows that. It does not block.
	Check() error
	// Trim marks dead letters as gone: those whose records are in a partition of a dead-letter topic
	// below an offset. The topic is that of Failed.Foreign.
	Trim(ctx context.Context, foreign string, partition int32, below int64) error

	// Order returns an order or a refund by its ID, or nil.
	Order(ctx context.Context, id order.ID) (*Row, error)
	// Known returns those of some IDs of orders and refunds that it has.
	Known(ctx context.Context, ids []order.ID) (map[order.ID]bool, error)
	// Refunds returns the refunds of an order, in any sequence.
	Refunds(ctx context.Context, of order.ID) ([]Row, error)
	// Orders returns the orders that a filter selects, newest first by time and then ID, after a
	// cursor unless that is zero, and at most Limit of them. The words are those of f.Customer:
	// each must begin a word of the order.
	Orders(ctx context.Context, f Filter, words []string, after Cursor) ([]Row, error)
	// Oldest returns the accepted order of a partition that was placed first, or nil. It leaves out
	// orders below an offset, orders placed at a time or before, and orders with a dead letter.
	Oldest(ctx context.Context, partition int32, from int64, placedAfter time.Time) (*Row, error)

	// Count returns how many orders and refunds have a status, and when the oldest of them was placed: zero
	// if there is none.
	Count(ctx context.Context, status order.Status) (n int, oldest time.Time, err error)

	// DeadLettersByID returns those dead letters that are known, in any sequence.
	DeadLettersByID(ctx context.Context, ids []string) ([]DeadLetter, error)
	// DeadLetters returns the dead letters that a filter selects, those that failed last first and
	// then by ID, after a cursor unless that is zero, and at most Limit of them. The words are those
	// of f.Text: each must begin a word of the dead letter. f.Topic and the keys
	// of f.Since are those of Failed.Foreign; f.Topic may be Ours.
	DeadLetters(ctx context.Context, f DeadLetterFilter, words []string, after Cursor) ([]DeadLetter, error)
	// Select returns the IDs of the dead letters that a filter selects, in the opposite sequence, after
	// a cursor unless that is zero, and at most Limit of them.
	Select(ctx context.Context, f DeadLetterFilter, words []string, after Cursor) ([]string, error)
	// Groups returns the groups of the dead letters that a filter selects, in any sequence. The first
	// hour of Group.Hours begins at a time, which is a full hour.
	Groups(ctx context.Context, f DeadLetterFilter, words []string, hours time.Time) ([]Group, error)
	// CauseOrders returns the orders of the newest dead letters of a cause, in any sequence, and at most
	// so many.
	CauseOrders(ctx context.Context, cause string, most int) ([]Row, error)
	// Failures returns the failures of a dead letter by their numbers.
	Failures(ctx context.Context, id string) ([]Failure, error)
	// Decisions returns the decisions about a dead letter or a group, in the sequence in which they
	// were applied, without the edits that changed nothing.
	Decisions(ctx context.Context, target string) ([]wire.Decision, error)

	// Touched returns the dead letters of a partition of another program's dead-letter topic between
	// two offsets that are neither Open nor SentOn, or were edited: their places and states, and the
	// values of edits.
	Touched(ctx context.Context, foreign string, partition int32, from, to int64) ([]DeadLetter, error)
	// SentOn returns the ranges of offsets of those that are SentOn, which may begin and end outside.
	// A range has both of its ends. What the last batch of a job has sent is in them, also when other
	// methods return another state until the next event of the job.
	SentOn(ctx context.Context, foreign string, partition int32, from, to int64) ([][2]int64, error)

	// Sources returns the topics of the records that failed, of some dead letters: each once, in any
	// sequence, and an empty one where that is not known.
	Sources(ctx context.Context, ids []string) ([]string, error)

	// Acts returns the acts that a filter selects, newest first and then by ID, after a cursor unless
	// that is zero, and at most Limit of them. It leaves out their traces.
	Acts(ctx context.Context, f ActFilter, after Cursor) ([]wire.Act, error)

	// Job returns a job by its ID, or nil.
	Job(ctx context.Context, id string) (*Job, error)
	// Jobs returns the jobs that a filter selects, newest first and then by ID, after a cursor unless
	// that is zero, and at most Limit of them.
	Jobs(ctx context.Context, f JobFilter, after Cursor) ([]Job, error)
	// JobItems returns the selected IDs of a job between two items, as far as they are known.
	JobItems(ctx context.Context, j *Job, from, to int) ([]string, error)
	// JobResults returns a job, or nil, and counts its items that were sent. Without a final outcome, a
	// replay has failed again if the dead letter has a later one, and found its order ended if that was
	// erased.
	JobResults(ctx context.Context, id string) (*Job, []JobResult, error)
	// JobForecasts returns the forecasts of a dry run after an item, at most so many, and the last item.
	JobForecasts(ctx context.Context, id string, after, most int) ([]wire.Forecast, int, error)

	Close() error
}

// Batch is what a store applies in one transaction.
type Batch struct {
	Changes   []Change
	Positions map[kafka.Partition]Position // of the partitions that the changes were read from
}

// Position is how far a partition is applied.
type Position struct {
	Next  int64
	Epoch int32 // leader epoch of the record before Next
	Claim int64 // offset of the newest claim in orders.status, or -1
	Stale int64 // stale states that were skipped so far
}

// Row is an order, or a refund, as a store keeps it.
type Row struct {
	ID        order.ID
	Partition int32
	Offset    int64 // of the record that placed it, in orders
	PlacedAt  time.Time
	Status    order.Status
	Rev       int64
	Begun     bool  // Value is a record of orders.status, else one of orders
	StateAt   int64 // offset of its newest state in orders.status; 0 while there is none
	RefundOf  order.ID
	Words     []string    // of names, companies and the e-mail address; a store does not return them
	Reference string      // number of the shop, or empty; a store does not return it
	Owner     order.Actor // or zero; a store does not return it
	Value     []byte      // of the record, as Kafka has it
	Discarded bool        // it is dead, and its dead letter is discarded; only a store sets it
}

// Change is one change of a store's contents: Placed, Changed, Erased, Failed, Decided or Acted, or one of jobs.
type Change interface{ change() }

// Placed adds an order, unless its ID is known already, or was erased at or after Written. A store that has the
// tombstone before it learns from it which dead letters are those of the erased order.
type Placed struct {
	Row
	Written time.Time // timestamp of the record
}

// Changed replaces an order, or adds it. That includes where and when it was placed: the topic may
// have deleted the record of an old order, and still have a repeat of it.
type Changed struct{ Row }

// Erased removes an order, and remembers its ID, the time, and the offset of its record if it is known. An order
// of another partition stays, and so does one that was placed after that time and is not begun.
type Erased struct {
	ID        order.ID
	Partition int32
	At        time.Time
}

// Ours is the value of DeadLetterFilter.Topic, for a store, that selects the dead letters that are not
// of another program.
const Ours = "/"

// Failed adds a dead letter, and a failure. If its ID is known it replaces the stored one, except
//   - when it is FromState;
//   - when it is a copy, which is in another partition than its origin, and the stored one is
//     neither a copy nor Gone;
//   - when it has another key than the stored one, which has the key of the order at its origin.
type Failed struct {
	dlq.DeadLetter        // without Value, Headers and Progress
	Foreign        string // dead-letter topic of another program; empty for ours
	Partition      int32  // of the record in the dead-letter topic
	Offset         int64
	Gone           bool // the dead-letter topic has deleted the record
	FromState      bool // all that is known of it is in the state of its order
	CauseID        string
	Text           string   // the message, normalised
	Words          []string // that a search finds it by; a store does not return them
}

// ID is that of the dead letter, as DeadLetter.ID.
func (l *Failed) ID() string { return deadLetterID(l.Foreign, l.Partition, l.Offset, &l.DeadLetter) }

// Decided adds a decision, unless its ID is known. The dead letter need not be known yet. An edit that
// is not the next version of its dead letter is left out. When an order is erased, the edits of its
// dead letters go with it, and so does what a search finds them by.
type Decided struct{ wire.Decision }

// Acted adds an act. If its ID is known, and the stored outcome is wire.Unknown, it gives the stored
// one its outcome and problem; nothing else of an act ever changes.
type Acted struct{ wire.Act }

func (Placed) change()  {}
func (Changed) change() {}
func (Erased) change()  {}
func (Failed) change()  {}
func (Acted) change()   {}
func (Decided) change() {}
