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

// Invoice is the record that keeps an issued invoice, or a credit note: the document as it is, keyed by its number.
func Invoice(w *order.State, at time.Time) *kgo.Record {
	number := w.Progress.Invoice.Number
	return record(TypeInvoice, number, number, at, w.Document,
		"order", string(w.Order.ID),
		"origin", decimal(w.Origin.Offset),
		"sha256", SHA256(w.Document),
	)
}

// ErrNotIssued is a record that is not the document of an order which points at it.
var ErrNotIssued = errors.New("not the document that was issued for the order")

// Issued reads the document of an order from the record that its progress points at, and compares it with the order: where
// the topic was made again, another one's document can stand there. Else it is ErrNotIssued.
func Issued(r *kgo.Record, s *order.State) ([]byte, error) {
	i := s.Progress.Invoice
	if string(r.Key) != i.Number || Header(r, "order") != string(s.Order.ID) || Header(r, "origin") != decimal(s.Origin.Offset) ||
		SHA256(r.Value) != i.Kept.SHA256 {
		return nil, fmt.Errorf("invoice %s of %s at offset %d: %w", i.Number, s.Order.ID, i.Kept.Offset, ErrNotIssued)
	}
	return r.Value, nil
}

// Void is the record that says why an offset of the topic orders will never have an invoice, nor a credit note. Nobody can tell
// what an undecodable record was to be, so it is keyed by the number of the invoice.
func Void(origin order.Origin, reason string, at time.Time) *kgo.Record {
	value := mustJSON(struct {
		Schema int    `json:"schema"`
		Reason string `json:"reason"`
	}{schema, reason})
	number := origin.InvoiceNumber()
	return record(TypeVoid, number, number, at, value, "origin", decimal(origin.Offset), "reason", reason)
}

// VoidStretch is Void for several offsets: from the origin to the last, which a reader finds with Last. It says of those that have no
// invoice why.
func VoidStretch(origin order.Origin, last int64, reason string, at time.Time) *kgo.Record {
	r := Void(origin, reason, at)
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: "last", Value: []byte(decimal(last))})
	return r
}

// Last is the last offset that a void record is about. False means that it is about its origin alone.
func Last(r *kgo.Record) (int64, bool) {
	last, err := number(r, "last")
	return last, err == nil
}

// SHA256 is the hash of a document in hex, as it stands in its record and in its pointer.
func SHA256(document []byte) string {
	sum := sha256.Sum256(document)
	return hex.EncodeToString(sum[:])
}
