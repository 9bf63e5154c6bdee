package batch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"example.com/orders/services/order-api/client"
)

// columns are the columns that a CSV file may have, in any order.
var columns = []string{
	"order", "name", "email", "vat_id", "line1", "line2", "city", "region", "postal_code", "country", "service", "sku", "quantity", "note",
	"company", "purchase_order", "buyer_reference", "bill_name", "bill_company", "bill_line1", "bill_line2", "bill_city", "bill_region", "bill_postal_code", "bill_country",
}

// optional are the columns that may be missing.
var optional = []string{
	"vat_id", "line2", "region", "postal_code", "note", "company", "purchase_order", "buyer_reference",
	"bill_name", "bill_company", "bill_line1", "bill_line2", "bill_city", "bill_region", "bill_postal_code", "bill_country",
}

// row is one row: a line of an order. It maps columns to cells.
type row struct {
	line  int
	cells map[string]string
	err   error // or nil
}

// readCSV collects the rows of each order, which need not be adjacent. Orders are sorted by their
// first rows.
func readCSV(text []byte) ([]Order, error) {
	s := openSheet(text)
	cells, line, err := s.next(0)
	if err != nil {
		return nil, &wrong{line, err.Error()}
	}
	header := headerOf(cells)
	if err := checkHeader(header, line); err != nil {
		return nil, err
	}
	keys, rows := readRows(s, header, len(cells))
	if len(keys) == 0 {
		return nil, &wrong{0, "has a header and no rows"}
	}
	orders := make([]Order, 0, len(keys))
	for _, key := range keys {
		orders = append(orders, gather(rows[key]))
	}
	return orders, nil
}

// headerOf are the names of columns, without empty ones at the end.
func headerOf(cells []string) (names []string) {
	for _, cell := range withoutEmptyEnd(cells, 0) {
		names = append(names, folded(cell))
	}
	return names
}

// readRows reads the rows below the header, which has width cells, by order. The keys are in the order of their first
// rows.
func readRows(s *sheet, header []string, width int) (keys []string, rows map[string][]row) {
	rows = map[string][]row{}
	for {
		cells, line, err := s.next(len(header))
		if cells == nil {
			return keys, rows
		}
		next := newRow(header, width, cells, line, err)
		key := next.cells["order"]
		if fault := keyFault(key); fault != nil {
			// The row is an order of its own: others may have become the same. Give it a key that no
			// cell can have.
			key = "\x00" + strconv.Itoa(next.line)
			next.err = cmp.Or(next.err, fault)
		}
		if rows[key] == nil {
			keys = append(keys, key)
		}
		rows[key] = append(rows[key], next)
	}
}

func checkHeader(header []string, line int) error {
	var faults []string
	for i, name := range header {
		switch {
		case name == "":
			faults = append(faults, fmt.Sprintf("column %d has no name", i+1))
		case !slices.Contains(columns, name):
			faults = append(faults, fmt.Sprintf("unknown column %.60q", name))
		case slices.Contains(header[:i], name):
			faults = append(faults, fmt.Sprintf("column %q appears twice", name))
		}
	}
	for _, name := range columns {
		if !slices.Contains(header, name) && !slices.Contains(optional, name) {
			faults = append(faults, fmt.Sprintf("no column %q", name))
		}
	}
	if len(faults) > 0 {
		return &wrong{line, strings.Join(faults, ", ") + "; the header must be: " + strings.Join(columns, ",")}
	}
	return nil
}

// newRow is a row with its cells. Spreadsheets omit empty cells at the end of a row. One that is longer
// than the row of the header has a comma within a cell: what follows is in the wrong columns.
func newRow(header []string, width int, cells []string, line int, err error) row {
	if len(cells) <= width {
		cells = withoutEmptyEnd(cells, len(header))
	}
	next := row{line: line, cells: make(map[string]string, len(header)), err: err}
	for i, name := range header[:min(len(header), len(cells))] {
		next.cells[name] = cellOf(name, cells[i])
		if mistake.MatchString(next.cells[name]) {
			next.err = cmp.Or(next.err, errMistake(name, next.cells[name]))
		}
	}
	omitted := header[min(len(header), len(cells)):]
	if next.err == nil && (len(cells) > len(header) || slices.ContainsFunc(omitted, func(name string) bool { return !slices.Contains(optional, name) })) {
		next.err = fmt.Errorf("has %d cells, must have %d", len(cells), len(header))
		if len(cells) > len(header) {
			next.err = fmt.Errorf("%w: put a cell with a comma or semicolon in quotation marks", next.err)
		}
	}
	return next
}

// gather builds an order from its rows. All columns but sku and quantity must be the same in all
// rows.
func gather(rows []row) Order {
	head := rows[0]
	o := Order{Line: head.line, Key: head.cells["order"]}
	c := head.cells
	b := client.NewOrder{
		Customer: client.Customer{Name: c["name"], Company: c["company"], Email: c["email"], VATID: c["vat_id"]},
		ShipTo: client.Address{
			Line1: c["line1"], Line2: c["line2"], City: c["city"], Region: c["region"], PostalCode: c["postal_code"], Country: c["country"],
		},
		Service: c["service"], Note: c["note"],
		References: client.References{Reference: c["order"], BuyerReference: c["buyer_reference"], PurchaseOrder: c["purchase_order"]},
	}
	billTo(&b, c)
	for _, r := range rows {
		one, err := line(head, r)
		if err != nil && r.line != head.line {
			// The caller prints the line of the order. Add the line of another row here.
			err = fmt.Errorf("row in line %d: %w", r.line, err)
		}
		if err != nil {
			o.Err = err
			return o
		}
		b.Items = append(b.Items, one)
	}
	o.Body, o.Err = json.Marshal(b)
	return o
}

// billTo sets whom the invoice is addressed to, if a cell has its name or address. The VAT ID is that of the buyer.
func billTo(o *client.NewOrder, c map[string]string) {
	b := client.BillTo{Name: c["bill_name"], Company: c["bill_company"], Address: client.Address{
		Line1: c["bill_line1"], Line2: c["bill_line2"], City: c["bill_city"], Region: c["bill_region"],
		PostalCode: c["bill_postal_code"], Country: c["bill_country"],
	}}
	if b != (client.BillTo{}) {
		b.VATID, o.Customer.VATID = o.Customer.VATID, ""
		o.BillTo = &b
	}
}

func line(head, r row) (client.Item, error) {
	if r.err != nil {
		return client.Item{}, r.err
	}
	for _, name := range columns {
		if name != "sku" && name != "quantity" && r.cells[name] != head.cells[name] {
			return client.Item{}, fmt.Errorf("column %q is %.60q, but %.60q in line %d", name, r.cells[name], head.cells[name], head.line)
		}
	}
	quantity, err := quantityOf(r.cells["quantity"])
	if err != nil {
		return client.Item{}, err
	}
	return client.Item{SKU: r.cells["sku"], Quantity: quantity}, nil
}
