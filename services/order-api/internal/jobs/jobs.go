// Package jobs replays many dead letters: replay jobs, and dry runs of them.
//
// A job is made of records in one partition of orders.desk (package wire): its selection, frozen in
// chunks; its definition, written last; events, by which operators and the stop rule change its
// state; and a batch for each stretch of items that was worked on. The view folds them (view.Job).
//
// The instances of the API are a consumer group over orders.desk. They fetch nothing with it: the
// owner of a partition runs the jobs of the partition. It sends a stretch of items and writes their
// batch in one Kafka transaction, so a replay request is in orders.replay exactly once, and the
// cursor of the job is the end of its last batch. A new owner begins with the transactional ID of
// the partition, which fences the former owner and ends its transaction, waits until the view has
// applied the partition to its end, and continues at the cursor. So whatever fails in the middle of
// a transaction, the owner drops its client and takes the partition over again.
//
// Workers answer with states of orders, and the view counts these. A job sends no more while too
// many of its replays are unanswered, so it is as fast as the workers are, and memory is bounded.
package jobs

import (
	"context"
	"errors"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// Config is what jobs work with.
type Config struct {
	Kafka   kafka.Config
	Topics  topic.Set
	Layout  kafka.Layout
	View    *view.View
	Own     Source   // of our own dead letters
	Foreign *Foreign // source of the dead letters of other programs; or nil
	Name    string   // of this instance, for people
	Log     *slog.Logger
}

// Source makes the records that replay dead letters. It is safe for concurrent use.
type Source interface {
	// Open begins to make records for a job.
	Open(j *view.Job) (Reading, error)
}

// Reading makes the records of one job. It is for one goroutine, which closes it.
type Reading interface {
	// Make returns an item for each dead letter, in their sequence. It looks at each of them again. It
	// stops when the records have maxBytes: then the items are fewer, but at least one. An error is one
	// that passes: all are made again later.
	Make(ctx context.Context, j *view.Job, ids []string) ([]Item, error)
	Close()
}

// Item is a dead letter that is to be replayed, or why it is not.
type Item struct {
	Skip    wire.SkipReason // or empty
	Records []*kgo.Record   // that replay it, with topic and partition; they are written in one transaction
	Number  int             // of the replay; 0 if it has none
}

// maxBytes bounds the records of a transaction, apart from the last ones.
const maxBytes = 16 << 20

// size is how many bytes the records of an item have.
func (i *Item) size() (n int) {
	for _, r := range i.Records {
		n += kafka.Size(r)
	}
	return n
}

// Jobs creates replay jobs, changes and shows them, and runs those that this instance owns. It is
// safe for concurrent use.
type Jobs struct {
	cfg Config
	cl  *kgo.Client // of kafka.Config.ConnectProducer
}

// New returns jobs. The client is one of kafka.Config.ConnectProducer.
func New(cl *kgo.Client, cfg Config) *Jobs { return &Jobs{cfg, cl} }

// Errors of requests that are refused.
var (
	ErrUnknown = errors.New("there is no such job")
	ErrState   = errors.New("the state of the job does not allow that") // a second pause, for example, or what is done
	ErrEmpty   = errors.New("nothing is selected")
	ErrSpec    = errors.New("the job cannot be created")
	// ErrUnsure is a job whose record may or may not be in Kafka: another one might replay the same again.
	ErrUnsure = errors.New("the job may have been created")
	// ErrTarget is a job of dead letters of another program none of which has a topic to be replayed to.
	ErrTarget = errors.New("there is no topic to replay to")
)
