// Package wire encodes and decodes the records of all topics.
//
// Every record has one envelope, in its headers: the attributes of CloudEvents 1.0 in the binary
// mode of its Kafka binding, the schema version, the cause (traceparent and actor), and the facts of
// its type, such as origin, owner and rev. A ledger is restored from headers alone. See Envelope.
//
// Each type of record has a small Go type or a pair of functions:
//
//	orders            Order, ReadOrder        an order or a refund, as placed
//	orders.retry.*    Parked                  an order that is retrying
//	orders.waiting    Parked                  an order that waits for a dependency
//	orders.replay     ReplayRequest           an operator asks for a replay
//	                  CancelRequest           a customer asks for a cancel
//	                  PaymentRequest          money was received for an order
//	orders.status     State, ReadState        the whole state of an order after a change
//	                  Claim                   a worker claims the partition
//	orders.invoices   Invoice, Issued         an issued document
//	                  VoidNumber              invoice numbers that will never be used
//	orders.dlq        dlq.DeadLetter          a dead letter, in the package dlq
//	orders.desk       Act, ReadAct            an act of an operator, and its outcome
//	                  Decision, ReadDecision  a discard, restore, note or edit of a dead letter
//	                  Job, JobChunk           a replay job and its selection
//	                  JobEvent, JobBatch      what became of it
//	                  Forecast, ReadForecast  what a replay would do: the answer to a dry run
//	orders.workers    Worker, ReadWorker      what a worker is doing now
//
// A record of a newer schema version is ErrNewer: its reader must stop and never dead-letter it. Any
// other record that cannot be decoded is ErrUndecodable. Fields that this version does not know
// survive being read and written again: an order keeps its bytes, a state and the result of each
// step keep what a newer version added to them. Only fields that were added to the entries of a list
// are lost.
//
// Anybody may write to the topic orders. What is read from it can always be written again: text is
// UTF-8, nesting and times stay where JSON can hold them, and an order does not grow when it becomes
// part of a state.
//
// Records are made without a topic and without a partition; kafka.Append sets both.
package wire

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// The schema versions that this package writes. Each JSON value has its version too, because a read
// model stores values without headers. An older reader must not take a refund for an order, and ship
// it, or address an invoice to someone else, or add VAT to prices that include it.
const (
	schema  = 1
	refunds = 2 // an order that is a refund, and its state
	billed  = 3 // an order or a refund with an address of its own for the invoice, and its state
	inclVAT = 4 // an order or a refund whose prices include VAT, and its state

	newest = inclVAT
)

// schemaOf is the oldest version that processes an order as it is meant.
func schemaOf(o order.Order) int {
	switch {
	case o.Gross:
		return inclVAT
	case o.BillTo != nil:
		return billed
	case o.Refund != nil:
		return refunds
	default:
		return schema
	}
}

// Errors of the Read functions.
var (
	ErrUndecodable = errors.New("not a record of this application")
	ErrNewer       = errors.New("written by a newer version")
)

// The types of records: their CloudEvents type.
const (
	typePlaced     = "orders.placed"
	TypeRefund     = "orders.refund"
	typeRetrying   = "orders.retrying"
	typeWaiting    = "orders.waiting"
	typeReplay     = "orders.replay"
	TypeCancel     = "orders.cancel"
	TypePayment    = "orders.payment"
	TypeStatus     = "orders.status"
	TypeClaim      = "orders.claim"
	TypeInvoice    = "orders.invoice"
	TypeVoid       = "orders.void"
	TypeDeadLetter = "orders.dead-letter"
	TypeAct        = "orders.act"
	TypeDecision   = "orders.decision"
	TypeJob        = "orders.job"
	TypeJobChunk   = "orders.job-chunk"
	TypeJobEvent   = "orders.job-event"
	TypeJobBatch   = "orders.job-batch"
	TypeForecast   = "orders.forecast"
	TypeWorker     = "orders.worker"
)

// Type returns the type of a record, or "".
func Type(r *kgo.Record) string { return Header(r, hType) }

// Header returns the last header of a name, or "".
func Header(r *kgo.Record, name string) string { return last(r.Headers, name) }

func last(headers []kgo.RecordHeader, name string) string {
	for _, h := range slices.Backward(headers) {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// decode reads a JSON value after looking at its schema version: a newer one may have other types in its fields.
func decode(value []byte, into any) error {
	// What can be read is read once.
	if v, ok := into.(versioned); ok && parse(value, into) == nil {
		return known(v.version())
	}
	var head struct {
		Schema int `json:"schema"`
	}
	if err := parse(value, &head); err != nil {
		return err
	}
	if err := known(head.Schema); err != nil {
		return err
	}
	return parse(value, into)
}

// versioned is a value that holds its schema version.
type versioned interface{ version() int }

// known returns an error for a schema version that this package cannot read.
func known(version int) error {
	switch {
	case version > newest:
		return fmt.Errorf("%w: schema %d", ErrNewer, version)
	case version < 1:
		return fmt.Errorf("%w: no schema version", ErrUndecodable)
	}
	return nil
}

// number reads a header that is a count or an offset.
func number(r *kgo.Record, header string) (int64, error) {
	return parseNumber(header, Header(r, header))
}

func parseNumber(header, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: header %s is %.40q", ErrUndecodable, header, text)
	}
	return n, nil
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
