package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

// pay is the command that records a payment, in either direction.
type pay struct {
	ID        string        `arg:"" help:"ID of the order."`
	Method    string        `required:"" enum:"card,paypal,transfer,direct-debit,cash,other" help:"How it was paid: card, paypal, transfer, direct-debit, cash or other."`
	Reference string        `required:"" help:"Reference of the payment provider or the bank, at most 64 characters. It identifies the payment: repeating the command records it once."`
	Amount    string        `required:"" placeholder:"EUR" help:"Amount in euros, such as 59.80."`
	Back      bool          `help:"The amount was paid back to the customer. Default: it was received."`
	PaidAt    time.Time     `help:"When it was paid, such as 2026-11-02T10:00:00Z. Default: now."`
	Wait      time.Duration `default:"10s" help:"Wait this long for a worker to record the payment, at most 60s; 0s: do not wait."`
}

// Run records a payment and prints the balance of the order. It is idempotent.
func (c *pay) Run(ctx context.Context, p *printer, api *client.Client) error {
	if c.Wait < 0 || c.Wait > time.Minute {
		return config.Usage(errors.New("--wait must be from 0s to 60s"))
	}
	payment := client.Payment{Method: c.Method, Reference: c.Reference, PaidAt: c.PaidAt, Amount: client.Money{Amount: c.Amount, Currency: "EUR"}}
	if c.Back {
		payment.Kind = client.PaidBack
	}
	var o client.Order
	err := withRetry(ctx, func() (err error) {
		o, err = api.Pay(ctx, c.ID, payment, c.Wait)
		return err
	})
	if problem, ok := errors.AsType[*client.Problem](err); ok && problem.Status == http.StatusConflict {
		return config.Hint(err, "show the order and its payments with: ordersctl get "+c.ID)
	}
	if err != nil {
		return explain(err)
	}
	return p.result(o.ID+" "+balance(o), o)
}

// balance is what was received for an order, in words.
func balance(o client.Order) string {
	b := o.Balance
	if b == nil {
		return ""
	}
	text := fmt.Sprintf("%s: received %s", b.State, b.Received.Amount)
	if b.PaidBack.Amount != "0.00" {
		text += ", paid back " + b.PaidBack.Amount
	}
	if b.Due != nil && b.Due.Amount != "0.00" {
		text += ", due " + b.Due.Amount
	}
	if b.ToReturn != nil && b.ToReturn.Amount != "0.00" {
		text += ", to return " + b.ToReturn.Amount
	}
	return text + " " + b.Received.Currency
}
