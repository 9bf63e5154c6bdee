package worker

import (
	"cmp"
	"fmt"

	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/services/order-worker/internal/invoice"
	"example.com/orders/services/order-worker/internal/pipeline"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/services/order-worker/internal/shipping"
	"example.com/orders/shared/rates"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/vat"
)

// steps lists the steps of an order, in the order in which they are taken. A new step is a package and a
// line here. The caller closes the mail step.
func steps(cfg Config, server *retry.Breaker) ([]pipeline.Step, *email.Step, error) {
	card, err := rates.Load(cfg.RateCard)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the rate card: %w", err)
	}
	table, err := vat.Load(cfg.VATTable)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the VAT table: %w", err)
	}
	seller, err := invoice.LoadSeller(cfg.Seller, table)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the seller: %w", err)
	}
	bill, err := billing(cfg, seller, table)
	if err != nil {
		return nil, nil, err
	}
	mail, err := email.New(email.Config{
		SMTP: cfg.SMTP, From: cfg.MailFrom, Seller: seller.Name, Templates: cfg.Templates, ShopURL: cfg.ShopURL, Home: seller.Country, Zone: bill.Zone(),
		ReplyTo: seller.ReplyTo, Contact: cmp.Or(seller.ReplyTo, seller.Contact.Email, seller.Email), Phone: seller.Contact.Phone, Imprint: bill.Imprint(),
		TLS: cfg.SMTPTLS, CA: cfg.SMTPCA, User: cfg.SMTPUser, Password: cfg.SMTPPassword, PasswordFile: cfg.SMTPPasswordFile,
		Connections: cfg.mails(), Dial: cfg.DialMail,
	})
	if err != nil {
		return nil, nil, err
	}
	return []pipeline.Step{
		shipping.New(card),
		bill,
		mailing{mail, server},
	}, mail, nil
}

// An optional interface that a step misses by a typo would lose a promise silently.
var (
	_ pipeline.WithDocument    = (*invoice.Step)(nil)
	_ pipeline.WithUncertainty = mailing{}
	_ pipeline.WithReceipt     = mailing{}
	_ pipeline.WithDependency  = mailing{}
	_ pipeline.WithLimit       = mailing{}
	_ pipeline.WithCheck       = mailing{}
)

// mailing is the mail step behind the circuit breaker of the mail server.
type mailing struct {
	*email.Step
	*retry.Breaker
}

// envelope is the maximum size of a record of orders.invoices without its document: key, headers, and what
// Kafka adds.
const envelope = 16 << 10

// billing makes the invoice step. The largest invoice of a configured seller must fit in its topic.
func billing(cfg Config, seller invoice.Seller, table *vat.Table) (*invoice.Step, error) {
	s, err := invoice.New(seller, table, cfg.Log)
	if err != nil || cfg.Seller == "" {
		return s, err
	}
	if err := s.Fits(topic.MaxBytes(cfg.Topics.Invoices) - envelope); err != nil {
		return nil, fmt.Errorf("reading the seller: %w", err)
	}
	return s, nil
}
