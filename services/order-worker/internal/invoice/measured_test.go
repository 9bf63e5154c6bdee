package invoice

import (
	"bytes"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/order"
)

// orderKind is a kind of invoice, and an order for it.
type orderKind struct {
	name string
	w    *order.Work
}

// measuredOrders returns the kinds for the benchmark: all scripts, and more lines than a page has.
func measuredOrders(t testing.TB, s *Step) []orderKind {
	t.Helper()
	mixed, chinese := shipped(3), shipped(3)
	manyScripts(mixed)
	inChinese(chinese)
	return []orderKind{
		{"latin", plannedBy(t, s, shipped(3))},
		{"greek", sentTo(t, s, "Παπαδόπουλος", "Λεωφόρος Αμαλίας 12", "Αθήνα", "GR")},
		{"cyrillic", sentTo(t, s, "Иванов, Димітър", "булевард Витоша 12", "София", "UA")},
		{"hebrew and arabic", sentTo(t, s, "רחל לוי، محمد علي", "רחוב הרצל 12", "حيفا", "IL")},
		{"mixed", plannedBy(t, s, mixed)},
		{"chinese", plannedBy(t, s, chinese)},
		{"10 lines", plannedBy(t, s, shipped(10))},
		{"40 lines", plannedBy(t, s, shipped(40))},
	}
}

// sentTo returns a planned order of three lines in the language of its country.
func sentTo(t testing.TB, s *Step, name, line, city, country string) *order.Work {
	t.Helper()
	w := shipped(3)
	w.Order.Customer.Name, w.Order.ShipTo = name, order.Address{Line1: line, City: city, PostalCode: "1000", Country: country}
	plannedBy(t, s, w).Progress.Invoice.Language = locale.In(country).String()
	return w
}

// Renderer and sealer share no state between documents.
func TestConcurrentRenderingDoesNotChangeDocuments(t *testing.T) {
	t.Parallel()
	s, other := setup(t), setup(t)
	kinds := measuredOrders(t, other)
	alone := make([][]byte, len(kinds))
	for i, kind := range kinds {
		alone[i] = render(t, other, kind.w)
	}
	var group errgroup.Group
	for n := range 8 {
		group.Go(func() error {
			for i := range 2 * len(kinds) {
				i = (i + n) % len(kinds)
				again := *kinds[i].w
				again.Document = nil
				if err := s.Do(t.Context(), &again); err != nil {
					return err
				}
				if !bytes.Equal(again.Document, alone[i]) {
					return fmt.Errorf("%s: got another document (%d bytes, alone it has %d)", kinds[i].name, len(again.Document), len(alone[i]))
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}
