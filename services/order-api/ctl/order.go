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
)

// How an order ends: as everybody hopes, or because its customer has called it off.
const (
	confirmed = "confirmed"
	cancelled = "cancelled"
)

// final reports whether nothing happens to an order any more unless somebody asks for it.
func final(status string) bool {
	return slices.Contains([]string{confirmed, "dead", cancelled, "discarded"}, status)
}

// outcome is the status of an order, and of a dead one its letter.
func outcome(o client.Order) string {
	if o.Letter == nil || o.Status != "dead" {
		return o.Status
	}
	return fmt.Sprintf("%s: %s, letter %s", o.Status, o.Letter.Reason, o.Letter.ID)
}

// brief is an order in a line.
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

// drop returns words without those that are equal to one.
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

// full is an order with all that belongs to it, in lines.
func full(o client.Order) []string {
	lines := []string{brief(o), fmt.Sprintf("  for %s <%s>, %s %s", o.Customer.Name, o.Customer.Email, o.ShipTo.City, o.ShipTo.Country)}
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
		lines = append(lines, "  "+offer(*o.Shipping))
		for _, line := range details(*o.Shipping) {
			lines = append(lines, "  "+line)
		}
	}
	for _, change := range o.Timeline {
		lines = append(lines, "  "+moment(change))
	}
	for _, r := range o.Refunds {
		lines = append(lines, "  refund "+brief(client.Order{ID: r.ID, Status: r.Status, Total: &r.Total, Invoice: r.Invoice}))
	}
	return lines
}

// moment is a change of an order in a line.
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
	Until string `placeholder:"STATUS" help:"Stop at this status, such as mailing; when the order has ended by default."`
}

// Run prints each change of an order as it happens, until the order has ended or has the status that is waited for.
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
		return fmt.Errorf("order %s ended as %s %s", c.ID, last.Status, last.Reason)
	}
	return nil
}

// invoices are the commands for issued invoices.
type invoices struct {
	Get  getInvoice  `cmd:"" help:"Save the invoice of an order."`
	Gaps explainGaps `cmd:"" help:"Explain gaps in the invoice numbers (talks to Kafka, not to the API)."`
}

type getInvoice struct {
	ID     string `arg:"" help:"ID of the order."`
	Output string `short:"o" placeholder:"FILE" help:"File to write, also over an existing one, or - for stdout; by default a new file ID.pdf or ID.xml in this folder."`
	XML    bool   `name:"xml" help:"The invoice as data (EN 16931), instead of the PDF that holds it."`
}

// Run saves an invoice as it was issued. Nothing that the API says has a part in where.
func (c *getInvoice) Run(ctx context.Context, p *printer, api *client.Client) error {
	fetch, file := api.Invoice, c.ID+".pdf"
	if c.XML {
		fetch, file = api.InvoiceXML, c.ID+".xml"
	}
	if c.Output == "" && (!filepath.IsLocal(file) || filepath.Base(file) != file) {
		return config.Usage(fmt.Errorf("%q cannot be the name of a file: name one with -o", c.ID))
	}
	if f, ok := p.out.(*os.File); ok && c.Output == "-" && terminal(f) {
		return config.Usage(errors.New("an invoice is not shown on a terminal: name a file with -o, or pipe it to a program"))
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

// createFile writes a new file. One that exists stays as it is.
func createFile(name string, content []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return config.Hint(fmt.Errorf("%s exists already", name), "to write over it, name it: -o "+name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}
