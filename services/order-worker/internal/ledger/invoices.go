package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// Keep appends the order's document to orders.invoices, once, and points its progress there.
func (l *Ledger) Keep(ctx context.Context, w *order.State) error {
	again := false
	err := l.insist(ctx, l.cfg.Topics.Invoices, func() error {
		if again {
			// It was sent and the answer was lost: it can be there.
			if err := l.find(ctx, w); err != nil || w.Progress.Invoice.Kept != nil {
				return err
			}
		}
		again = true
		r, err := l.appendOnce(ctx, l.cfg.Topics.Invoices, wire.Invoice(w, time.Now()))
		if err == nil {
			w.Progress.Invoice.Kept = kept(r, wire.DocumentHash(r))
			l.mu.Lock()
			l.invoices = max(l.invoices, r.Offset+1)
			l.mu.Unlock()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping invoice %s: %w", w.Progress.Invoice.Number, tooLarge(err))
	}
	return nil
}

// Announce notes in the order's progress from which offset of orders.invoices on its document will be: the
// present end of the topic, or the end that was noted before. Call it before you write the state with the
// invoice's number.
func (l *Ledger) Announce(ctx context.Context, w *order.State) error {
	if w.Progress.Invoice.Announced > 0 {
		return nil
	}
	l.mu.Lock()
	end := l.invoices
	l.mu.Unlock()
	if end == 0 {
		err := l.insist(ctx, l.cfg.Topics.Invoices, func() (err error) {
			end, err = l.end(ctx, l.cfg.Topics.Invoices)
			return err
		})
		if err != nil {
			return fmt.Errorf("announcing invoice %s: %w", w.Progress.Invoice.Number, err)
		}
	}
	w.Progress.Invoice.Announced = end
	return nil
}

// Adopt looks for the invoice of an order whose worker stopped between storing it and recording that. Of
// several records with one number the lowest offset counts. An order without an invoice stays as it is.
func (l *Ledger) Adopt(ctx context.Context, w *order.State) error {
	return l.insist(ctx, l.cfg.Topics.Invoices, func() error { return l.find(ctx, w) })
}

// find looks for the invoice of an order once.
func (l *Ledger) find(ctx context.Context, w *order.State) error {
	end, err := l.end(ctx, l.cfg.Topics.Invoices)
	if err != nil {
		return err
	}
	err = l.reader.Read(ctx, l.cfg.Topics.Invoices, l.partition, w.Progress.Invoice.Announced, end, func(r *kgo.Record) error {
		if string(r.Key) != w.Progress.Invoice.Number || wire.Type(r) != wire.TypeInvoice {
			return nil
		}
		w.Document = r.Value
		w.Progress.Invoice.Kept = kept(r, wire.SHA256(r.Value))
		return errFound
	})
	if errors.Is(err, errFound) {
		return nil
	}
	return err
}

var errFound = errors.New("found")

func kept(r *kgo.Record, hash string) *order.Kept {
	return &order.Kept{Offset: r.Offset, SHA256: hash, Bytes: len(r.Value)}
}

// Load reads the issued document of an order that has one. It is never rendered again: another version
// could render it differently. If it is not where the order's state says, no attempt will find it: that is
// a permanent failure.
func (l *Ledger) Load(ctx context.Context, w *order.State) error {
	r, err := l.read(ctx, l.cfg.Topics.Invoices, w.Progress.Invoice.Kept.Offset)
	if err == nil {
		w.Document, err = wire.Issued(r, w)
	}
	if errors.Is(err, kafka.ErrGone) || errors.Is(err, wire.ErrNotIssued) {
		err = failure.New(failure.Permanent, failure.InvoiceGone, err)
	}
	if err != nil {
		return fmt.Errorf("loading invoice %s: %w", w.Progress.Invoice.Number, err)
	}
	return nil
}

// Void appends that the number of an offset of the topic orders will never be used, so that gaps in the numbers can be
// explained.
func (l *Ledger) Void(ctx context.Context, origin order.Origin, reason failure.Reason, cause order.Cause) error {
	void := wire.VoidNumber{Origin: origin, Reason: string(reason), Cause: cause, At: time.Now()}
	if _, err := l.append(ctx, l.cfg.Topics.Invoices, void.Record()); err != nil {
		return fmt.Errorf("voiding %s: %w", origin, err)
	}
	return nil
}

// Forecast appends the answer to a dry run to the topic of the desk.
func (l *Ledger) Forecast(ctx context.Context, f *wire.Forecast) error {
	if _, err := l.append(ctx, l.cfg.Topics.Desk, f.Record()); err != nil {
		return fmt.Errorf("writing forecast of %s: %w", f.DeadLetter, err)
	}
	return nil
}

// Park appends an order to a topic for retrying or waiting orders.
func (l *Ledger) Park(ctx context.Context, topic string, parked *wire.Parked) error {
	r, err := l.append(ctx, topic, parked.Record())
	if err != nil {
		return fmt.Errorf("parking %s: %w", parked.Origin, err)
	}
	if l.cfg.Deferred != nil {
		l.cfg.Deferred(topic, l.partition, r.Offset)
	}
	return nil
}

// DeadLetter appends a dead letter and returns the pointer to it. Kafka limits the compressed size of
// a record, and a dead letter must be written in any case: one that is too large for its topic is
// written without the headers of the record that failed, and if need be without its key and value,
// which are still in the topic orders.
func (l *Ledger) DeadLetter(ctx context.Context, deadLetter *dlq.DeadLetter) (*order.DeadLetter, error) {
	r, err := l.append(ctx, l.cfg.Topics.DLQ, deadLetter.Record())
	if errors.Is(err, kerr.MessageTooLarge) {
		deadLetter.Headers = nil
		r, err = l.append(ctx, l.cfg.Topics.DLQ, deadLetter.Record())
	}
	if errors.Is(err, kerr.MessageTooLarge) {
		deadLetter.Key, deadLetter.Value = nil, nil
		r, err = l.append(ctx, l.cfg.Topics.DLQ, deadLetter.Record())
	}
	if err != nil {
		return nil, fmt.Errorf("writing dead letter %s: %w", deadLetter.ID(), err)
	}
	return &order.DeadLetter{ID: deadLetter.ID(), Partition: r.Partition, Offset: r.Offset, Step: deadLetter.Step, Reason: string(deadLetter.Reason)}, nil
}
