package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// The facts of an invoice.
const (
	hOrder = "order"
	hHash  = "sha256"
)

// Invoice is the record of an issued invoice, or of a credit note: the document itself, keyed by its
// number.
func Invoice(s *order.State, at time.Time) *kgo.Record {
	number := s.Progress.Invoice.Number
	e := Envelope{
		Type: TypeInvoice, ID: number, Time: at, Cause: s.Order.Cause,
		Facts:   []Fact{{hOrder, string(s.Order.ID)}, {hOrigin, decimal(s.Origin.Offset)}, {hHash, SHA256(s.Document)}},
		content: pdfType,
	}
	return e.Record([]byte(number), s.Document, nil)
}

// DocumentHash is the hash that a record of an invoice names. In a record of Invoice it is that of the document.
func DocumentHash(r *kgo.Record) string { return Header(r, hHash) }

// ErrNotIssued is a record that is not the document of an order which points at it.
var ErrNotIssued = errors.New("not the document that was issued for the order")

// Issued reads the document of an order from the record that its progress points at. A record that
// is not that document is ErrNotIssued: another one can be at that offset if the topic was created
// again.
func Issued(r *kgo.Record, s *order.State) ([]byte, error) {
	i := s.Progress.Invoice
	if string(r.Key) != i.Number || Header(r, hOrder) != string(s.Order.ID) || Header(r, hOrigin) != decimal(s.Origin.Offset) ||
		SHA256(r.Value) != i.Kept.SHA256 {
		return nil, fmt.Errorf("invoice %s of %s at offset %d: %w", i.Number, s.Order.ID, i.Kept.Offset, ErrNotIssued)
	}
	return r.Value, nil
}

// VoidNumber is a number that will never be used, neither for an invoice nor for a credit note: that
// of an offset of the topic orders, or those of several offsets. It is keyed by the invoice number,
// because it is not known what an undecodable record was to be.
type VoidNumber struct {
	Origin order.Origin // Incarnation is empty in what was read
	To     int64        // behind the last offset of a batch that is skipped; 0 for the origin alone
	Reason string
	Cause  order.Cause // what led to it
	At     time.Time
}

const hTo = "to"

// Record is the void number as it is written to orders.invoices.
func (v VoidNumber) Record() *kgo.Record {
	number := v.Origin.InvoiceNumber()
	e := Envelope{
		Type: TypeVoid, ID: number, Time: v.At, Cause: v.Cause,
		Facts:   []Fact{{hOrigin, decimal(v.Origin.Offset)}, {hReason, v.Reason}},
		content: jsonType,
	}
	if v.To > 0 {
		e.Facts = append(e.Facts, Fact{hTo, decimal(v.To)})
	}
	return e.Record([]byte(number), mustJSON(voidValue{schema, v.Reason}), nil)
}

// ReadVoidNumber reads a void number. The partition of its origin is that of the record.
func ReadVoidNumber(r *kgo.Record) (VoidNumber, error) {
	e, _, err := ReadEnvelope(r, TypeVoid)
	if err != nil {
		return VoidNumber{}, err
	}
	offset, err := e.number(hOrigin)
	if err != nil {
		return VoidNumber{}, err
	}
	origin := order.Origin{Partition: r.Partition, Offset: offset}
	return VoidNumber{origin, e.Count(hTo), e.Text(hReason), e.Cause, e.Time}, nil
}

type voidValue struct {
	Schema int    `json:"schema"`
	Reason string `json:"reason"`
}

// SHA256 is the hash of a document in hex, as in its record and in the state that points at it.
func SHA256(document []byte) string {
	sum := sha256.Sum256(document)
	return hex.EncodeToString(sum[:])
}
