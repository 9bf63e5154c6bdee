package batch

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"example.com/orders/services/order-api/client"
)

// columns are the columns that a CSV file may have, in any order.
var columns = []string{
	"order", "name", "email", "vat_id", "line1", "line2", "city", "region", "postal_code", "country", "service", "sku", "quantity", "note",
}

// optional are the columns that may be missing.
var optional = []string{"vat_id", "line2", "region", "postal_code", "note"}

// row is one row: a line of an order. It maps columns to cells.
type row struct {
	line  int
	cells map[string]string
	err   error // or nil
}

// readCSV collects the rows of each order, which need not be adjacent. Orders are sorted by their
// first rows.
func readCSV(text []byte) ([]Order, error) {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1 // checked below, so that a short row is an error of its order, not of the file
	r.ReuseRecord = true
	first, err := r.Read()
	if err != nil {
		return nil, csvError(err)
	}
	header := slices.Clone(first)
	if err := checkHeader(header); err != nil {
		return nil, err
	}
	keys, rows, err := readRows(r, header)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, &wrong{0, "has a header and no rows"}
	}
	orders := make([]Order, 0, len(keys))
	for _, key := range keys {
		orders = append(orders, gather(rows[key]))
	}
	return orders, nil
}

// readRows reads the rows below the header, by order. The keys are in the order of their first
// rows.
func readRows(r *csv.Reader, header []string) (keys []string, rows map[string][]row, err error) {
	rows = map[string][]row{}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return keys, rows, nil
		}
		if err != nil {
			return nil, nil, csvError(err)
		}
		next := newRow(r, header, record)
		key := next.cells["order"]
		if key == "" {
			// A row without a key is an order of its own: give it a key that no cell can have.
			key = "\x00" + strconv.Itoa(next.line)
		}
		if rows[key] == nil {
			keys = append(keys, key)
		}
		rows[key] = append(rows[key], next)
	}
}

func csvError(err error) error {
	if p, ok := errors.AsType[*csv.ParseError](err); ok {
		// For an open quote, report the row in which it begins.
		return &wrong{p.StartLine, "is not CSV: " + p.Err.Error()}
	}
	return err
}

func checkHeader(header []string) error {
	var faults []string
	for i, name := range header {
		if !slices.Contains(columns, name) {
			faults = append(faults, fmt.Sprintf("unknown column %q", name))
		}
		if slices.Contains(header[:i], name) {
			faults = append(faults, fmt.Sprintf("column %q appears twice", name))
		}
	}
	for _, name := range columns {
		if !slices.Contains(header, name) && !slices.Contains(optional, name) {
			faults = append(faults, fmt.Sprintf("no column %q", name))
		}
	}
	if len(faults) > 0 {
		return &wrong{1, strings.Join(faults, ", ") + "; the header must be: " + strings.Join(columns, ",")}
	}
	return nil
}

func newRow(r *csv.Reader, header, record []string) row {
	line, _ := r.FieldPos(0)
	next := row{line: line, cells: make(map[string]string, len(header))}
	for i, name := range header[:min(len(header), len(record))] {
		next.cells[name] = record[i]
	}
	if len(record) != len(header) {
		next.err = fmt.Errorf("has %d cells, must have %d", len(record), len(header))
	} else if next.cells["order"] == "" {
		next.err = errors.New(`column "order" must not be empty`)
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
		Customer: client.Customer{Name: c["name"], Email: c["email"], VATID: c["vat_id"]},
		ShipTo: client.Address{
			Line1: c["line1"], Line2: c["line2"], City: c["city"], Region: c["region"], PostalCode: c["postal_code"], Country: c["country"],
		},
		Service: c["service"], Note: c["note"],
	}
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

func line(head, r row) (client.Item, error) {
	if r.err != nil {
		return client.Item{}, r.err
	}
	for _, name := range columns {
		if name != "sku" && name != "quantity" && r.cells[name] != head.cells[name] {
			return client.Item{}, fmt.Errorf("column %q is %.60q, but %.60q in line %d", name, r.cells[name], head.cells[name], head.line)
		}
	}
	quantity, err := strconv.Atoi(r.cells["quantity"])
	if err != nil {
		return client.Item{}, fmt.Errorf("quantity %.40q is not a whole number", r.cells["quantity"])
	}
	return client.Item{SKU: r.cells["sku"], Quantity: quantity}, nil
}
