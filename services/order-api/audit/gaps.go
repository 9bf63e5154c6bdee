package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// Numbers lists the invoice numbers without an invoice. A number is derived from the offset of the
// order in the topic orders, so every offset has one, and those without an invoice are gaps. The
// offset of a refund is a gap, too: its credit note has a number of another kind.
type Numbers struct {
	Incarnation string   `json:"incarnation"`
	Partitions  []Series `json:"partitions"`
}

// Series are the numbers of one partition.
type Series struct {
	End    int64 `json:"end"`    // the first unused number
	Issued int64 `json:"issued"` // number of invoices
	Gaps   []Gap `json:"gaps"`   // ascending
	// Unread is why the partition was not read, or empty. If it is set, the other fields are not.
	Unread string `json:"unread,omitempty"`
}

// Gap is a range of numbers without an invoice for the same reason.
type Gap struct {
	First  int64  `json:"first"`
	Last   int64  `json:"last"`
	Reason string `json:"reason,omitempty"` // creditNote, or that of the void records; empty if there is no record
}

// Gaps explains the gaps in the invoice numbers. It reads orders.invoices, and only the end of
// orders. A gap without a reason is an order that is in flight, dead or lost: Run tells which. It
// blocks until all invoices are read.
func Gaps(ctx context.Context, cfg kafka.Config, topics topic.Set) (Numbers, error) {
	cl, err := cfg.Connect(ctx)
	if err != nil {
		return Numbers{}, err
	}
	defer cl.Close()
	layout, err := kafka.Check(ctx, cl, topics)
	if err != nil {
		return Numbers{}, err
	}
	a := auditor{cl: cl, kafka: kafka.NewReader(cl, topics.DLQ), topics: topics}
	all := Numbers{layout.Incarnation, make([]Series, layout.Partitions)}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for number := range all.Partitions {
		g.Go(func() (err error) {
			all.Partitions[number], err = a.series(ctx, order.Origin{Incarnation: layout.Incarnation, Partition: int32(number)})
			return err
		})
	}
	return all, g.Wait()
}

// series reads the numbers of one partition.
func (a *auditor) series(ctx context.Context, place order.Origin) (Series, error) {
	// Read the end of the invoices last: then no invoice of these orders can be missing.
	orders, err := a.end(ctx, a.topics.Orders, place.Partition)
	var invoices int64
	if err == nil {
		invoices, err = a.end(ctx, a.topics.Invoices, place.Partition)
	}
	if errors.Is(err, errSilent) && ctx.Err() == nil {
		return Series{Gaps: []Gap{}, Unread: err.Error()}, nil
	}
	s := newSeries(place, orders)
	if err == nil {
		err = a.kafka.Read(ctx, a.topics.Invoices, place.Partition, 0, invoices, s.record)
	}
	return s.sum(), err
}

// series has what is known about the numbers of a partition, one byte for each.
type series struct {
	fates []string     // those below, then reasons in the order in which they were read
	of    []uint8      // by number: an index into fates
	place order.Origin // of number 0
}

// creditNote is the fate of a number whose offset has a credit note.
const creditNote = "credit note"

// The first fates of every series.
const (
	unexplained = iota
	issued
	credited
)

func newSeries(place order.Origin, end int64) *series {
	return &series{fates: []string{"", "issued", creditNote}, of: make([]uint8, end), place: place}
}

func (s *series) record(r *kgo.Record) error {
	offset, ok := origin(r)
	if !ok || offset >= int64(len(s.of)) {
		return nil
	}
	fate, place := &s.of[offset], s.place
	place.Offset = offset
	void, err := wire.ReadVoidNumber(r)
	switch kind := wire.Type(r); {
	case *fate == issued:
	case kind == wire.TypeInvoice && string(r.Key) == place.CreditNoteNumber():
		*fate = credited
	case kind == wire.TypeInvoice:
		*fate = issued
	case err == nil && *fate != credited:
		*fate = s.fate(void.Reason)
	}
	for i := offset; i < min(void.To, int64(len(s.of))); i++ {
		if s.of[i] == unexplained {
			s.of[i] = s.fate(void.Reason)
		}
	}
	return newer(err)
}

// fate returns the index of a reason, and adds the reason if it is new. There are fewer than 256;
// if not, further ones get the index of the last.
func (s *series) fate(reason string) uint8 {
	i := slices.Index(s.fates[issued+1:], reason)
	if i < 0 && len(s.fates) < 256 {
		s.fates = append(s.fates, reason)
	}
	if i < 0 {
		return uint8(len(s.fates) - 1)
	}
	return uint8(i + issued + 1)
}

// sum returns the gaps as ranges.
func (s *series) sum() Series {
	all := Series{End: int64(len(s.of)), Gaps: []Gap{}}
	for i := 0; i < len(s.of); {
		first, fate := i, s.of[i]
		for i < len(s.of) && s.of[i] == fate {
			i++
		}
		if fate == issued {
			all.Issued += int64(i - first)
			continue
		}
		all.Gaps = append(all.Gaps, Gap{int64(first), int64(i - 1), s.fates[fate]})
	}
	return all
}

// Write prints the gaps of each partition as text.
func (n *Numbers) Write(w io.Writer) error {
	var b strings.Builder
	for number, s := range n.Partitions {
		run := func(gap Gap, name func(order.Origin) string) string {
			first := order.Origin{Incarnation: n.Incarnation, Partition: int32(number), Offset: gap.First}
			last := first
			last.Offset = gap.Last
			if first == last {
				return name(first)
			}
			return name(first) + " to " + name(last)
		}
		if s.Unread != "" {
			fmt.Fprintf(&b, "partition %d: not read: %s\n", number, s.Unread)
			continue
		}
		fmt.Fprintf(&b, "partition %d: %d numbers, %d issued\n", number, s.End, s.Issued)
		for _, gap := range s.Gaps {
			reason := gap.Reason
			switch reason {
			case "":
				reason = "no record: in flight, dead or lost"
			case creditNote:
				reason += " " + run(gap, order.Origin.CreditNoteNumber)
			}
			fmt.Fprintf(&b, "  %-48s %s\n", run(gap, order.Origin.InvoiceNumber), reason)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
