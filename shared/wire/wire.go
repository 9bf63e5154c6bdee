// Package wire turns orders, states, claims and invoices into Kafka records and back.
//
// Values are JSON with a schema version; headers follow the CloudEvents 1.0 Kafka binding in binary
// mode. What a reader needs of every record (status, owner, rev, origin) stands in headers too, so
// that a ledger is restored without parsing JSON. A record of a newer schema is refused with
// ErrNewer and must stop its reader, never become a dead letter. Fields that this version does not
// know survive being read and written again: an order keeps its bytes, a state and the result of
// each step keep what a newer version added to them. Only what it added to the entries of a list is
// lost.
//
// Anybody may write to the topic orders. What is read from it can always be written again: text is UTF-8, nesting and
// times stay where JSON can hold them, and an order does not grow when a state takes it in.
//
// Records come without a topic and a partition: whoever appends them knows where they belong.
package wire

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The versions of values that this package writes. An older reader must not take a refund for an order, and ship it.
const (
	schema  = 1
	refunds = 2 // of an order that is a refund, and of its state

	newest = refunds
)

// Errors of the Read functions.
var (
	ErrUndecodable = errors.New("not a record of this application")
	ErrNewer       = errors.New("written by a newer version")
)

// The CloudEvents types of records.
const (
	typePlaced  = "orders.placed"
	TypeRefund  = "orders.refund"
	TypeCancel  = "orders.cancel"
	TypeStatus  = "orders.status"
	TypeClaim   = "orders.claim"
	TypeInvoice = "orders.invoice"
	TypeVoid    = "orders.void"
)

// Type returns the CloudEvents type of a record, or "".
func Type(r *kgo.Record) string { return Header(r, "ce_type") }

// Header returns the last header of a name, or "".
func Header(r *kgo.Record, name string) string {
	for _, h := range slices.Backward(r.Headers) {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// record makes a record with the CloudEvents attributes; the ID is the record's own, because many share a key. Extra
// are more headers, name and value in turn.
func record(kind, key, id string, at time.Time, value []byte, extra ...string) *kgo.Record {
	content := "application/json"
	if kind == TypeInvoice {
		content = "application/pdf"
	}
	pairs := append([]string{
		"ce_specversion", "1.0",
		"ce_type", kind,
		"ce_source", "/orders",
		"ce_id", id,
		"ce_time", at.UTC().Format(time.RFC3339Nano),
		"content-type", content,
	}, extra...)
	r := &kgo.Record{Key: []byte(key), Value: value}
	for i := 0; i < len(pairs); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: pairs[i], Value: []byte(pairs[i+1])})
	}
	return r
}

// decode reads a JSON value after looking at its schema version: a newer one may have other types in its fields.
func decode(value []byte, into any) error {
	var head struct {
		Schema int `json:"schema"`
	}
	if err := parse(value, &head); err != nil {
		return err
	}
	if head.Schema > newest {
		return fmt.Errorf("%w: schema %d", ErrNewer, head.Schema)
	}
	if head.Schema < 1 {
		return fmt.Errorf("%w: no schema version", ErrUndecodable)
	}
	return parse(value, into)
}

// number reads a header that is a count or an offset.
func number(r *kgo.Record, header string) (int64, error) {
	text := Header(r, header)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: header %s is %.40q", ErrUndecodable, header, text)
	}
	return n, nil
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
