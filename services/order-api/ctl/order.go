package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
)

// Statuses that commands wait for.
const (
	confirmed = string(order.Confirmed)
	cancelled = string(order.Cancelled)
)

// Results of requests.
const (
	sent    = "sent" // without --wait
	refused = "refused"
)

// final reports whether a status changes only by a request: a replay, a refund, a restore.
func final(status string) bool { return order.Status(status).Final() }

// outcome is the status of an order; for a dead one with reason and dead letter.
func outcome(o client.Order) string {
	if o.DeadLetter == nil || o.Status != string(order.Dead) {
		return o.Status
	}
	return fmt.Sprintf("%s: %s, dead letter %s", o.Status, o.DeadLetter.Reason, o.DeadLetter.ID)
}

// brief formats an order as one line.
func brief(o client.Order) string {
	words := []string{o.ID, outcome(o)}
	if o.Total != nil {
		words = append(words, o.Total.Amount, o.Total.Currency)
	}
	if o.Invoice != nil {
		words = append(words, o.Invoice.Number)
	}
	return strings.Join(words, " ")
}

// drop deletes from words those equal to one.
func drop(words []string, one string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return w == one })
}

// getOrder is the command that shows an order.
type getOrder struct {
	ID string `arg:"" help:"ID of the order."`
}

// Run shows an order with its timeline.
func (c *getOrder) Run(ctx context.Context, p *printer, api *client.Client) error {
	o, err := api.Order(ctx, c.ID)
	if err != nil {
		return explain(err)
	}
	return p.result(strings.Join(full(o), "\n"), o)
}

// full formats an order with items, shipping, timeline and refunds.
func full(o client.Order) []string {
	lines := []string{brief(o), fmt.Sprintf("  for %s <%s>, %s %s", o.Customer.Name, o.Customer.Email, o.ShipTo.City, o.ShipTo.Country)}
	for _, number := range [][2]string{{"reference", o.Reference}, {"buyer reference", o.BuyerReference}, {"purchase order", o.PurchaseOrder}} {
		if number[1] != "" {
			lines = append(lines, "  "+number[0]+" "+number[1])
		}
	}
	if r := o.Refund; r != nil {
		lines = append(lines, fmt.Sprintf("  refunds %s, %s %s", r.Of, r.Invoice.Number, r.Reason))
	}
	for _, item := range o.Items {
		lines = append(lines, fmt.Sprintf("  %d × %s %s", item.Quantity, item.SKU, item.Name))
	}
	if r := o.Refund; r != nil && r.Shipping.Amount != "0.00" {
		lines = append(lines, fmt.Sprintf("  %s %s of shipping", r.Shipping.Amount, r.Shipping.Currency))
	}
	if o.Shipping != nil {
		lines = append(lines, "  "+offer(*o.Shipping, o.Prices))
		for _, line := range details(*o.Shipping) {
			lines = append(lines, "  "+line)
		}
	}
	for _, p := range o.Payments {
		paid := "paid"
		if p.Kind == client.PaidBack {
			paid = "paid back"
		}
		lines = append(lines, fmt.Sprintf("  %s %s %s by %s on %s, %s", paid, p.Amount.Amount, p.Amount.Currency, p.Method, p.PaidAt.UTC().Format(time.DateOnly), p.Reference))
	}
	if o.Balance != nil {
		lines = append(lines, "  "+balance(o))
	}
	for _, change := range o.Timeline {
		lines = append(lines, "  "+moment(change))
	}
	for _, r := range o.Refunds {
		lines = append(lines, "  refund "+brief(client.Order{ID: r.ID, Status: r.Status, Total: &r.Total, Invoice: r.Invoice}))
	}
	return lines
}

// moment formats a status change as one line.
func moment(c client.Change) string {
	words := []string{c.At.UTC().Format(time.RFC3339), c.Status, c.Step, c.Reason}
	if c.Replay > 0 {
		words = append(words, fmt.Sprintf("(replay %d)", c.Replay))
	}
	return strings.Join(drop(words, ""), " ")
}

// watch is the command that follows an order.
type watch struct {
	ID    string `arg:"" help:"ID of the order."`
	Until string `placeholder:"STATUS" help:"Stop at this status, such as mailing. Default: confirmed, or any other final status."`
}

// Run prints the changes of an order as they happen, until it has the wanted status or a final one.
func (c *watch) Run(ctx context.Context, p *printer, api *client.Client) error {
	wanted := cmp.Or(c.Until, confirmed)
	last := client.Change{}
	for change, err := range api.Watch(ctx, c.ID, -1) {
		if err != nil {
			return explain(err)
		}
		last = change
		if err := p.result(moment(change), change); err != nil {
			return err
		}
		if change.Status == wanted || final(change.Status) {
			break
		}
	}
	if last.Status != wanted {
		return fmt.Errorf("order %s ended as %s", c.ID, strings.TrimSpace(string(last.Status)+" "+string(last.Reason)))
	}
	return nil
}

// invoices are the commands for issued invoices.
type invoices struct {
	Get  getInvoice  `cmd:"" help:"Download the invoice of an order."`
	Gaps explainGaps `cmd:"" help:"Explain gaps in the invoice numbers (reads Kafka directly)."`
}

type getInvoice struct {
	ID     string `arg:"" help:"ID of the order."`
	Output string `short:"o" placeholder:"FILE" help:"File to write, replacing an existing one; - writes to stdout. Default: a new file ID.pdf or ID.xml in the current directory."`
	XML    bool   `name:"xml" help:"Download the invoice as XML (EN 16931) instead of PDF."`
}

// Run saves an invoice as it was issued. The file name never depends on what the API answers.
func (c *getInvoice) Run(ctx context.Context, p *printer, api *client.Client) error {
	fetch, file := api.Invoice, c.ID+".pdf"
	if c.XML {
		fetch, file = api.InvoiceXML, c.ID+".xml"
	}
	if c.Output == "" && (!filepath.IsLocal(file) || filepath.Base(file) != file) {
		return config.Usage(fmt.Errorf("%q is not a valid file name: give one with -o", c.ID))
	}
	if c.Output == "-" && p.columns > 0 {
		return config.Usage(errors.New("cannot write an invoice to a terminal: give a file with -o, or pipe the output to a program"))
	}
	document, err := fetch(ctx, c.ID)
	if err != nil {
		return explain(err)
	}
	switch c.Output {
	case "-":
		_, err := p.out.Write(document)
		return err
	case "":
		err = createFile(file, document)
	default:
		file = c.Output
		err = os.WriteFile(file, document, 0o644)
	}
	if err != nil {
		return err
	}
	return p.result(file, map[string]any{"file": file, "bytes": len(document)})
}

// createFile writes a new file. It fails if the file exists.
func createFile(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return config.Hint(fmt.Errorf("%s already exists", name), "to replace it, use -o "+name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
