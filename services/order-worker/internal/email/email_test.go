package email_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/order"
)

// shop is a step and its mail server.
type shop struct {
	*email.Step
	inbox *inbox.Inbox
}

// setup connects a step to an inbox in memory, for use in a synctest bubble.
func setup(t *testing.T, change ...func(*email.Config)) shop {
	t.Helper()
	in := runInbox(t, inbox.Config{Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	return shop{inbox: in}.another(t, change...)
}

// runInbox runs an inbox until the test ends.
func runInbox(t *testing.T, cfg inbox.Config) *inbox.Inbox {
	t.Helper()
	in, err := inbox.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }() // ends with cancel
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("inbox: %v", err)
		}
	})
	return in
}

// another returns the same shop with a new step, as of another worker.
func (s shop) another(t *testing.T, change ...func(*email.Config)) shop {
	t.Helper()
	cfg := email.Config{
		SMTP: "mail.example.com:25", TLS: "opportunistic", From: "shop@example.com", Seller: "Example Trail Goods GmbH", Dial: s.inbox.Dial,
	}
	for _, c := range change {
		c(&cfg)
	}
	step, err := email.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := step.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return shop{step, s.inbox}
}

// invoiced returns an order whose invoice is rendered but not mailed.
func invoiced(id, name, address string) *order.Work {
	o := order.Order{
		ID:       order.ID("ord_" + id),
		PlacedAt: time.Date(2026, 9, 29, 8, 15, 42, 0, time.UTC),
		Customer: order.Customer{Name: name, Email: address},
		ShipTo:   order.Address{Line1: "Unter den Linden 1", City: "Berlin", PostalCode: "10117", Country: "DE"},
		Service:  order.Standard,
		Lines: []order.Line{
			{SKU: "BOTTLE-750", Quantity: 2, Name: "Insulated bottle, 750 ml", UnitPrice: order.EUR.Cents(2990)},
			{SKU: "ROPE-98-60M", Quantity: 1, Name: "Single rope Ø 9.8 mm × 60 m", UnitPrice: order.EUR.Cents(15900)},
		},
		Note: "please leave it with the neighbour",
	}
	w := new(o.Begin(order.Origin{Incarnation: "7KQ2MX", Partition: 3, Offset: 124}).Work)
	w.Progress.Shipping = &order.Shipping{Zone: "de", Service: order.Standard, Price: order.EUR.Cents(490), MinDays: 2, MaxDays: 4, Card: "2026-09"}
	w.Progress.Invoice = &order.Invoice{
		Number: w.Origin.InvoiceNumber(), IssuedAt: o.PlacedAt, VATTable: "2026-09", Language: "de",
		Taxes: []order.Tax{{Rate: 1900, Net: order.EUR.Cents(22370), Tax: order.EUR.Cents(4250)}},
		Net:   order.EUR.Cents(22370), Tax: order.EUR.Cents(4250), Total: order.EUR.Cents(26620),
	}
	w.Document = []byte("%PDF-1.4 of " + id)
	return w
}

// mail reserves a connection, plans and sends.
func (s shop) mail(ctx context.Context, w *order.Work) error {
	free, ok := s.Reserve(ctx, nil)
	if !ok {
		return context.Cause(ctx)
	}
	defer free()
	if err := s.Plan(ctx, w); err != nil {
		return err
	}
	return s.Do(ctx, w)
}

// received is a mail of the inbox.
type received struct {
	ID, MessageID, Subject, Text, HTML string
	From, To                           any
	Attachments                        []struct {
		PartID, FileName, ContentType string
		Size                          int
	}
}

func (s shop) get(t rapid.TB, path string) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	s.inbox.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	if w.Code != 200 {
		t.Fatalf("GET %s: got %d, want 200: %s", path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

func (s shop) received(t *testing.T, id string) received {
	t.Helper()
	var r received
	if err := json.Unmarshal(s.get(t, "/api/v1/message/"+id), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNamesOfAllScriptsArrive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		for i, name := range []string{
			"Zoë Łukasiewicz", "Παπαδόπουλος", "Иванов", "山田 太郎", "محمد عبد الله", "שרה כהן", "Nguyễn Thị Ánh", "Anna 🎿",
			`Mary "Ann" O'Neil, Jr.`, "a@b", "<Ann>", strings.Repeat("é", 200), "  two  spaces",
		} {
			id := fmt.Sprint(i + 1)
			if err := s.mail(t.Context(), invoiced(id, name, "zoe@example.com")); err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			got := s.received(t, id)
			want := []any{map[string]any{"Name": name, "Address": "zoe@example.com"}}
			if diff := cmp.Diff(want, got.To); diff != "" {
				t.Errorf("recipient (-want +got):\n%s", diff)
			}
			if !strings.Contains(got.Text, "\nGuten Tag "+name+",\n") {
				t.Errorf("text of %q begins %.60q", name, got.Text)
			}
		}
	})
}

func TestUnfinishedOrderIsNotMailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t)
		for name, spoil := range map[string]func(*order.Work){
			"no document": func(w *order.Work) { w.Document = nil },
			"no invoice":  func(w *order.Work) { w.Progress.Invoice = nil },
			"no shipping": func(w *order.Work) { w.Progress.Shipping = nil },
		} {
			w := invoiced("1", "Zoë", "zoe@example.com")
			spoil(w)
			if err := s.mail(t.Context(), w); err == nil {
				t.Errorf("%s: got nil, want an error", name)
			}
		}
		if got := s.inbox.Deliveries(); len(got) != 0 {
			t.Errorf("deliveries: got %v, want none", got)
		}
	})
}

func TestNewRefusesInvalidConfig(t *testing.T) {
	t.Parallel()
	good := email.Config{SMTP: "127.0.0.1:25", From: "Shop <shop@example.com>"}
	for name, spoil := range map[string]func(*email.Config){
		"no server":   func(c *email.Config) { c.SMTP = "" },
		"no port":     func(c *email.Config) { c.SMTP = "mail.example.com" },
		"a word":      func(c *email.Config) { c.SMTP = "mail.example.com:smtp" },
		"port 0":      func(c *email.Config) { c.SMTP = "mail.example.com:0" },
		"no sender":   func(c *email.Config) { c.From = "" },
		"two senders": func(c *email.Config) { c.From = "a@example.com, b@example.com" },
		"no scheme":   func(c *email.Config) { c.ShopURL = "shop.example.com" },
		"a script":    func(c *email.Config) { c.ShopURL = "javascript:alert(1)" },
		"no host":     func(c *email.Config) { c.ShopURL = "https:///orders" },
		"a policy":    func(c *email.Config) { c.TLS = "sometimes" },
		"no password": func(c *email.Config) { c.User = "shop" },
		"no user":     func(c *email.Config) { c.Password = "secret" },
		"login clear": func(c *email.Config) { c.TLS, c.User, c.Password = "none", "shop", "secret" },
		"no CA":       func(c *email.Config) { c.CA = "/nowhere.pem" },
		"not a CA":    func(c *email.Config) { c.CA = "email_test.go" },
		"no file":     func(c *email.Config) { c.User, c.PasswordFile = "shop", "/nowhere" },
		"a query":     func(c *email.Config) { c.ShopURL = "https://shop.example.com/?lang=de" },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := email.New(cfg); err == nil {
			t.Errorf("%s: got nil, want an error", name)
		}
	}
	if _, err := email.New(good); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}
