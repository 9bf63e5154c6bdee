package email_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"testing"

	gomail "github.com/wneessen/go-mail"

	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/shared/embedded/inbox"
)

// BenchmarkMail measures a mail with an invoice of 30 KB, and as its floor go-mail alone with the
// same parts on one open connection. Both send to an inbox over a local socket.
func BenchmarkMail(b *testing.B) {
	in, err := inbox.Open(inbox.Config{SMTP: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		<-done
	})
	step, err := email.New(email.Config{SMTP: in.SMTPAddr(), From: "shop@example.com", Seller: "Example Trail Goods GmbH"})
	if err != nil {
		b.Fatal(err)
	}
	defer step.Close()
	s, document, n := shop{step, in}, bytes.Repeat([]byte("%PDF invoice "), 2300), 0
	b.Run("step", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			// A new order each time: an accepted mail is not sent again.
			n++
			w := invoiced(fmt.Sprint(n), "Zoë Łukasiewicz", "zoe@example.com")
			w.Origin.Offset, w.Document = int64(n), document
			if err := s.mail(b.Context(), w); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor go-mail", func(b *testing.B) { alone(b, in.SMTPAddr(), document) })
}

// alone sends mails with go-mail only.
func alone(b *testing.B, server string, document []byte) {
	host, port := split(b, server)
	client, err := gomail.NewClient(host, gomail.WithPort(port), gomail.WithTLSPolicy(gomail.NoTLS), gomail.WithoutNoop(), gomail.WithHELO("localhost"))
	if err != nil {
		b.Fatal(err)
	}
	connection, err := client.DialToSMTPClientWithContext(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		m := gomail.NewMsg()
		if err := m.From("shop@example.com"); err != nil {
			b.Fatal(err)
		}
		if err := m.To("zoe@example.com"); err != nil {
			b.Fatal(err)
		}
		m.Subject("Your order")
		m.SetBodyString(gomail.TypeTextPlain, string(document[:1000]))
		m.AddAlternativeString(gomail.TypeTextHTML, string(document[:4000]))
		m.AttachReadSeeker("invoice.pdf", bytes.NewReader(document), gomail.WithFileContentType("application/pdf"))
		if err := client.SendWithSMTPClient(connection, m); err != nil {
			b.Fatal(err)
		}
	}
}

func split(b *testing.B, server string) (host string, port int) {
	b.Helper()
	name, number, err := net.SplitHostPort(server)
	if err == nil {
		port, err = strconv.Atoi(number)
	}
	if err != nil {
		b.Fatal(err)
	}
	return name, port
}
