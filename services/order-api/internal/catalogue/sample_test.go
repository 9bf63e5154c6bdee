package catalogue_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"example.com/orders/shared/order"
)

const samples = "../../../../deploy/sample/"

// sampleOrders are the orders of deploy/sample/orders.csv in the order of the file, their keys in
// ID.
func sampleOrders(t *testing.T) []order.Order {
	t.Helper()
	f, err := os.Open(samples + "orders.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	const header = "order,name,email,line1,line2,city,region,postal_code,country,service,sku,quantity,note"
	if got := strings.Join(rows[0], ","); got != header {
		t.Fatalf("got header %s, want %s", got, header)
	}
	var orders []order.Order
	placed := map[string]bool{}
	for i, row := range rows[1:] {
		same := i > 0 && row[0] == rows[i][0]
		if !same && placed[row[0]] {
			t.Errorf("row %d: order %s was complete already", i+2, row[0])
		}
		placed[row[0]] = true
		if !same {
			orders = append(orders, head(row))
		} else if !slices.Equal(row[:10], rows[i][:10]) || row[12] != rows[i][12] {
			t.Errorf("row %d: differs from the row above in more than sku and quantity", i+2)
		}
		quantity, err := strconv.Atoi(row[11])
		if err != nil {
			t.Errorf("row %d: %v", i+2, err)
		}
		last := &orders[len(orders)-1]
		last.Lines = append(last.Lines, order.Line{SKU: row[10], Quantity: quantity})
	}
	return orders
}

// head is the columns that are the same in all rows of an order.
func head(row []string) order.Order {
	return order.Order{
		ID: order.ID(row[0]), Customer: order.Customer{Name: row[1], Email: row[2]},
		ShipTo:  order.Address{Line1: row[3], Line2: row[4], City: row[5], Region: row[6], PostalCode: row[7], Country: row[8]},
		Service: row[9], Note: row[12],
	}
}

func TestTheSampleIsAWeekOfValidOrders(t *testing.T) {
	t.Parallel()
	shop := load(t, "")
	// These domains are reserved by RFC 2606, so no real person gets mail.
	reserved := regexp.MustCompile(`@(example\.(com|org)|[a-z-]+\.test)$`)
	countries, domains, longest := map[string]int{}, map[string]int{}, 0
	orders := sampleOrders(t)
	for _, o := range orders {
		for _, wrong := range append(o.Validate(), shop.Price(&o)...) {
			t.Errorf("%s: %s %s", o.ID, wrong.Pointer, wrong.Detail)
		}
		if !reserved.MatchString(o.Customer.Email) {
			t.Errorf("%s: %s may belong to a real person", o.ID, o.Customer.Email)
		}
		_, domain, _ := strings.Cut(o.Customer.Email, "@")
		domains[domain]++
		countries[o.ShipTo.Country]++
		longest = max(longest, len(o.Lines))
	}
	if len(orders) < 200 || len(countries) < 35 || longest != 40 {
		t.Errorf("got %d orders to %d countries, the longest of %d lines, want at least 200 to 35, and 40", len(orders), len(countries), longest)
	}
	if domains["refused.test"] != 3 || domains["busy.test"] < 3 || domains["slow.test"] != 1 {
		t.Errorf("got %d refused, %d busy and %d slow addresses, want 3, a few and 1",
			domains["refused.test"], domains["busy.test"], domains["slow.test"])
	}
}

func TestSampleOrderIsTheOneInTheDocuments(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(samples + "order.json")
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Customer struct{ Name, Email string }
		Items    []struct {
			SKU      string
			Quantity int
		}
	}
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatal(err)
	}
	if len(body.Items) != 1 || body.Customer.Name != "Zoë Łukasiewicz" {
		t.Fatalf("got %+v, want one line for Zoë Łukasiewicz", body)
	}
	o := order.Order{Lines: []order.Line{{SKU: body.Items[0].SKU, Quantity: body.Items[0].Quantity}}}
	if unknown := load(t, "").Price(&o); unknown != nil || o.ItemsTotal() != order.EUR.Cents(4980) {
		t.Errorf("got %v and %s, want the two bottles at 49.80", unknown, o.ItemsTotal())
	}
}
