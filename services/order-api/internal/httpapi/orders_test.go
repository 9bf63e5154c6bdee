package httpapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

func TestOrderShowsItsProgress(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *shop) {
		state := s.place(t, wanted())
		s.work(t, &state)
		s.advance(t, &state, order.Change{Status: order.Confirmed})
		got, err := s.client.Order(t.Context(), string(state.Order.ID))
		must(t, err)

		euros := func(amount string) *client.Money { return &client.Money{Amount: amount, Currency: "EUR"} }
		later := state.Order.PlacedAt.Add(time.Second)
		want := client.Order{
			ID: got.ID, Status: "confirmed", Rev: 3, PlacedAt: state.Order.PlacedAt, Customer: wanted().Customer, ShipTo: wanted().ShipTo,
			Service: "standard", Items: got.Items, ItemsTotal: *euros("49.80"),
			Shipping: &client.Shipping{Service: "standard", Zone: "DE", Price: *euros("4.90")},
			Tax:      euros("10.39"), Total: euros("65.09"),
			Invoice: &client.Invoice{Number: "INV-1", URL: "/v1/orders/" + got.ID + "/invoice.pdf"},
			Balance: &client.Balance{State: "unpaid", Received: *euros("0.00"), PaidBack: *euros("0.00"), Credited: *euros("0.00"), Due: euros("65.09"), ToReturn: euros("0.00")},
			Timeline: []client.Change{
				{At: state.Order.PlacedAt, Status: "accepted"},
				{Rev: 1, At: later, Status: "working"},
				{Rev: 2, At: later, Status: "mailing"},
				{Rev: 3, At: later, Status: "confirmed"},
			},
		}
		want.Shipping.Days.Min, want.Shipping.Days.Max = 1, 2
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

func TestInvoiceIsTheIssuedOne(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *shop) {
		state := s.place(t, wanted())
		id := string(state.Order.ID)
		_, err := s.client.Invoice(t.Context(), id)
		isProblem(t, "before it is issued", err, 404, "invoice-not-issued")

		document := s.work(t, &state)
		got, err := s.client.Invoice(t.Context(), id)
		if err != nil || string(got) != string(document) {
			t.Errorf("got %q, %v; want %q", got, err, document)
		}
		resp := s.send(t, s.http, "GET", "/v1/orders/"+id+"/invoice.pdf", "")
		sum := sha256.Sum256(document)
		tag := `"` + hex.EncodeToString(sum[:]) + `"`
		h := resp.Header
		if h.Get("ETag") != tag || h.Get("Content-Type") != "application/pdf" || h.Get("Content-Disposition") != `inline; filename="INV-1.pdf"` {
			t.Errorf("got headers %v, want ETag %s, a PDF, and its name", h, tag)
		}
		resp = s.send(t, s.http, "GET", "/v1/orders/"+id+"/invoice.pdf", "", "If-None-Match", tag)
		if resp.StatusCode != http.StatusNotModified {
			t.Errorf("known already: got %s, want 304", resp.Status)
		}
		for _, row := range []struct {
			header, value string
			status        int
		}{
			{"If-Match", `"other"`, http.StatusPreconditionFailed},
			{"Range", "bytes=99999-", http.StatusRequestedRangeNotSatisfiable},
			{"Range", "bytes=0-3", http.StatusPartialContent},
		} {
			resp := s.send(t, s.http, "GET", "/v1/orders/"+id+"/invoice.pdf", "", row.header, row.value)
			if refused := row.status >= 400; resp.StatusCode != row.status || refused && resp.Header.Get("Content-Disposition") != "" {
				t.Errorf("%s: %s: got %s with %v, want %d", row.header, row.value, resp.Status, resp.Header, row.status)
			}
		}
	})
}

func TestEveryGetHasAHead(t *testing.T) {
	t.Parallel()
	s := setup(t)
	state := s.place(t, wanted())
	s.work(t, &state)
	id := string(state.Order.ID)
	for path, status := range map[string]int{
		"/v1/orders": 200, "/v1/orders/" + id: 200, "/v1/orders/" + id + "/invoice.pdf": 200, "/v1/orders/" + id + "/events": 200,
		"/v1/products": 200, "/v1/dead-letters": 200, "/v1/dead-letters/0-0": 404, "/healthz/live": 200, "/healthz/ready": 200, "/openapi.yaml": 200, "/metrics": 200,
	} {
		head, got := s.send(t, s.http, "HEAD", path, ""), s.send(t, s.http, "GET", path, "")
		if head.StatusCode != status || head.Header.Get("Content-Type") != got.Header.Get("Content-Type") || text(t, head) != "" {
			t.Errorf("HEAD %s: got %s with %v, want %d and the headers of GET", path, head.Status, head.Header, status)
		}
	}
}

func TestTheXMLOfAnInvoiceIsWhatIsAttachedToIt(t *testing.T) {
	t.Parallel()
	s := setup(t)
	hybrid, err := os.ReadFile("../../../../shared/pdfa/testdata/hybrid.pdf")
	must(t, err)
	state, old := s.place(t, wanted()), s.place(t, wanted())
	path := "/v1/orders/" + string(state.Order.ID) + "/invoice.xml"
	_, err = s.client.InvoiceXML(t.Context(), string(state.Order.ID))
	isProblem(t, "before it is issued", err, 404, "invoice-not-issued")

	s.work(t, &old)
	_, err = s.client.InvoiceXML(t.Context(), string(old.Order.ID))
	isProblem(t, "issued as a PDF alone", err, 404, "invoice-without-xml")

	s.issue(t, &state, hybrid)
	got, err := s.client.InvoiceXML(t.Context(), string(state.Order.ID))
	if want := "<invoice>7</invoice>"; err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	resp := s.send(t, s.http, "GET", path, "")
	sum := sha256.Sum256(got)
	tag := `"` + hex.EncodeToString(sum[:]) + `"`
	h := resp.Header
	if h.Get("ETag") != tag || h.Get("Content-Type") != "application/xml" || h.Get("Content-Disposition") != `inline; filename="INV-1.xml"` {
		t.Errorf("got headers %v, want ETag %s, XML, and its name", h, tag)
	}
	if resp := s.send(t, s.http, "GET", path, "", "If-None-Match", tag); resp.StatusCode != http.StatusNotModified {
		t.Errorf("known already: got %s, want 304", resp.Status)
	}
}

func TestOrderKeepsTheVATID(t *testing.T) {
	t.Parallel()
	s := setup(t)
	o := wanted()
	o.Customer.VATID = "ATU12345678"
	state := s.place(t, o)
	got, err := s.client.Order(t.Context(), string(state.Order.ID))
	if err != nil || got.Customer.VATID != "ATU12345678" {
		t.Errorf("got %+v, %v; want the VAT ID", got.Customer, err)
	}
}

func TestOrdersAreListedInPages(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var ids []string
	for range 3 {
		ids = append(ids, string(s.place(t, wanted()).Order.ID))
	}
	anna := wanted()
	anna.Customer = client.Customer{Name: "Anna", Email: "anna@example.com"}
	state := s.place(t, anna)
	s.advance(t, &state, order.Change{Status: order.Waiting})
	ids = append(ids, string(state.Order.ID))

	var got []string
	q := client.OrderQuery{Limit: 3}
	for pages := 1; ; pages++ {
		page, next, err := s.client.Orders(t.Context(), q)
		must(t, err)
		for _, o := range page {
			got = append(got, o.ID)
		}
		if q.Cursor = next; next == "" {
			if pages != 2 {
				t.Errorf("got %d pages, want 2", pages)
			}
			break
		}
	}
	// Orders of one millisecond stand in the order of their IDs.
	slices.Sort(ids)
	slices.Sort(got)
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Errorf("orders of all pages (-want +got):\n%s", diff)
	}
	for name, q := range map[string]client.OrderQuery{
		"status":   {Status: "waiting"},
		"customer": {Customer: "ANNA"},
		"all":      {Status: "waiting", Customer: "anna@", From: state.Order.PlacedAt, To: time.Now().Add(time.Hour)},
	} {
		if page, _, err := s.client.Orders(t.Context(), q); err != nil || len(page) != 1 || page[0].ID != string(state.Order.ID) {
			t.Errorf("%s: got %v, %v; want Anna's order", name, page, err)
		}
	}
	page, next, err := s.client.Orders(t.Context(), client.OrderQuery{Status: "cancelled"})
	if err != nil || page == nil || len(page) != 0 || next != "" {
		t.Errorf("none: got %v, %q, %v; want an empty list", page, next, err)
	}
}

func TestProductsAreListed(t *testing.T) {
	t.Parallel()
	s := setup(t)
	got, err := s.client.Products(t.Context())
	bottle := slices.IndexFunc(got, func(p client.Product) bool { return p.SKU == "BOTTLE-750" })
	if err != nil || len(got) < 30 || bottle < 0 || got[bottle].Price != (client.Money{Amount: "24.90", Currency: "EUR"}) {
		t.Errorf("got %d products, %v; want at least 30 with a bottle for 24.90", len(got), err)
	}
}
