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

// Numbers says which invoice numbers were issued. A number is a place in the topic orders, so every offset is one, and
// those without an invoice are gaps. Credit notes have numbers of their own, of the offsets at which refunds stand. Its JSON is
// for machines, Write is for people.
type Numbers struct {
	Incarnation string   `json:"incarnation"`
	Partitions  []Series `json:"partitions"`
}

// Series are the numbers of one partition.
type Series struct {
	End    int64 `json:"end"`    // the first number that no order has yet
	Issued int64 `json:"issued"` // how many have an invoice
	Gaps   []Gap `json:"gaps"`   // ascending
	// Unread says why the partition was not read, and all else means nothing; it is empty for one that was.
	Unread string `json:"unread,omitempty"`
}

// Gap is a run of numbers without an invoice for one reason.
type Gap struct {
	First  int64  `json:"first"`
	Last   int64  `json:"last"`
	Reason string `json:"reason,omitempty"` // creditNote, or from the void records; empty where there are none (yet)
}

// Gaps explains the gaps in the invoice numbers from orders.invoices alone; of the topic orders it only asks where it
// ends. A gap without a reason is an order in flight, a dead one, or a lost one: Run tells which. It blocks until all invoices are read.
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
	// The end of the invoices comes last: an order that was there before it may have got its invoice meanwhile.
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

// series is what is known of the numbers of a partition: a byte each.
type series struct {
	fates []string     // the first are those below; the others are reasons, as they were met
	of    []uint8      // by number: an index into fates
	place order.Origin // of number 0
}

// creditNote is the fate of a number whose offset has a credit note instead.
const creditNote = "credit note"

// The fates that every series knows.
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

// fate is the index of a reason. The list of reasons is closed: if it is not, what comes late goes by the last one.
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

// sum puts what was read into runs.
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

// Write prints the gaps of each partition for people.
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
				reason = "no record: in flight, dead, or lost"
			case creditNote:
				reason += " " + run(gap, order.Origin.CreditNoteNumber)
			}
			fmt.Fprintf(&b, "  %-48s %s\n", run(gap, order.Origin.InvoiceNumber), reason)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
