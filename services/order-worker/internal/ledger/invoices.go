package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Keep appends the order's document to orders.invoices and points its progress there.
func (l *Ledger) Keep(ctx context.Context, w *order.Work) error {
	r, err := l.append(ctx, l.cfg.Topics.Invoices, wire.Invoice(w, time.Now()))
	if err != nil {
		return fmt.Errorf("keeping invoice %s: %w", w.Progress.Invoice.Number, err)
	}
	w.Progress.Invoice.Kept = &order.Kept{Offset: r.Offset, SHA256: wire.SHA256(w.Document), Bytes: len(w.Document)}
	return nil
}

// adoptMargin covers clocks that differ between brokers.
const adoptMargin = time.Minute

// Adopt looks for the invoice of an order whose worker stopped between keeping it and saying so. Since is the broker's
// time of the state that announced it. Of several records with one number the lowest offset counts. An order without one is left as it is.
func (l *Ledger) Adopt(ctx context.Context, w *order.Work, since time.Time) error {
	from, end, err := l.invoicesSince(ctx, since.Add(-adoptMargin))
	if err != nil {
		return err
	}
	number := []byte(w.Progress.Invoice.Number)
	err = l.cfg.Kafka.Read(ctx, l.cfg.Topics.Invoices, l.partition, from, end, func(r *kgo.Record) error {
		if string(r.Key) != string(number) || wire.Type(r) != wire.TypeInvoice {
			return nil
		}
		w.Document = r.Value
		w.Progress.Invoice.Kept = &order.Kept{Offset: r.Offset, SHA256: wire.SHA256(r.Value), Bytes: len(r.Value)}
		return errFound
	})
	if err != nil && !errors.Is(err, errFound) {
		return fmt.Errorf("looking for invoice %s: %w", number, err)
	}
	return nil
}

var errFound = errors.New("found")

// invoicesSince returns the offsets of our partition of orders.invoices from a time on to its end.
func (l *Ledger) invoicesSince(ctx context.Context, since time.Time) (from, end int64, err error) {
	adm := kadm.NewClient(l.cfg.Producer)
	after, err := adm.ListOffsetsAfterMilli(ctx, since.UnixMilli(), l.cfg.Topics.Invoices)
	if err != nil {
		return 0, 0, fmt.Errorf("listing offsets of invoices: %w", err)
	}
	ends, err := adm.ListEndOffsets(ctx, l.cfg.Topics.Invoices)
	if err != nil {
		return 0, 0, fmt.Errorf("listing the end of invoices: %w", err)
	}
	a, _ := after.Lookup(l.cfg.Topics.Invoices, l.partition)
	e, _ := ends.Lookup(l.cfg.Topics.Invoices, l.partition)
	return a.Offset, e.Offset, errors.Join(a.Err, e.Err)
}

// Load reads the issued document of an order that has one. What was issued is never rendered again: another version might render it differently.
func (l *Ledger) Load(ctx context.Context, w *order.Work) error {
	r, err := l.read(ctx, l.cfg.Topics.Invoices, w.Progress.Invoice.Kept.Offset)
	if err != nil {
		return fmt.Errorf("loading invoice %s: %w", w.Progress.Invoice.Number, err)
	}
	w.Document = r.Value
	return nil
}

// Void says why an offset of the topic orders will never have an invoice, so that gaps in the numbers can be explained.
func (l *Ledger) Void(ctx context.Context, origin order.Origin, reason failure.Reason) error {
	if _, err := l.append(ctx, l.cfg.Topics.Invoices, wire.Void(origin, string(reason), time.Now())); err != nil {
		return fmt.Errorf("voiding %s: %w", origin, err)
	}
	return nil
}

// Bury appends a letter and returns the pointer to it. A letter that is too large for its topic goes without the headers of the record that failed.
func (l *Ledger) Bury(ctx context.Context, letter *dlq.Letter) (*order.Letter, error) {
	r, err := l.append(ctx, l.cfg.Topics.DLQ, letter.Record())
	if errors.Is(err, kerr.MessageTooLarge) {
		letter.Headers = nil
		r, err = l.append(ctx, l.cfg.Topics.DLQ, letter.Record())
	}
	if err != nil {
		return nil, fmt.Errorf("writing letter %s: %w", letter.ID(), err)
	}
	return &order.Letter{ID: letter.ID(), Partition: r.Partition, Offset: r.Offset, Step: letter.Step, Reason: string(letter.Reason)}, nil
}
