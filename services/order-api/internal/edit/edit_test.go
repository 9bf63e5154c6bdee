package edit_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func placed() order.Order {
	return order.Order{
		ID: "ord_1", PlacedAt: time.UnixMilli(1_700_000_000_000).UTC(), Service: order.Standard, Note: "Ring twice",
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com", VATID: "DE123456789"},
		ShipTo:   order.Address{Line1: "McMurdo Station", Line2: "Hut 7", City: "Ross Island", Region: "South", PostalCode: "1", Country: "AQ"},
		Lines:    []order.Line{{SKU: "OLD", Quantity: 1, Name: "No longer sold", UnitPrice: order.EUR.Cents(100), Grams: 5, Size: [3]int{1, 2, 3}}},
		Owner:    order.Actor{Kind: order.ActorCustomer, ID: "zoe"}, LinkToken: "mfzwizltoq2gk3tunfxw42lomq",
	}
}

// record is the value of the record that placed the order, with texts replaced in turn.
func record(replaced ...string) []byte {
	value := string(wire.Order(placed()).Value)
	for i := 0; i < len(replaced); i += 2 {
		if !strings.Contains(value, replaced[i]) {
			panic(replaced[i] + " is not in " + value)
		}
		value = strings.Replace(value, replaced[i], replaced[i+1], 1)
	}
	return []byte(value)
}

func check(t *testing.T, b edit.Base, edited []byte) (string, []string) {
	t.Helper()
	shop, err := catalogue.Load("")
	if err != nil {
		t.Fatal(err)
	}
	b.Key = []byte("ord_1")
	value, faults := edit.Check(b, edited, shop.Price)
	var all []string
	for _, f := range faults {
		all = append(all, strings.TrimSpace(f.Pointer+" "+f.Detail))
	}
	return string(value), all
}

func TestEditedOrderIsStoredWithoutLosses(t *testing.T) {
	t.Parallel()
	newer := record(`{`, `{"newer":{"a":[1]},`, `"sku"`, `"gift":true,"sku"`)
	for _, row := range []struct {
		name             string
		original, edited []byte
		want             []string // changes
	}{
		{"the same", record(), record(), nil},
		{"another country", record(), record(`"AQ"`, `"DE"`), []string{`/ship_to/country "AQ" "DE"`}},
		{"without a note", record(), record(`,"note":"Ring twice"`, ``), []string{`/note "Ring twice" `}},
		{"link token as it is shown", record(), record("mfzwizltoq2gk3tunfxw42lomq", edit.Hidden), nil},
		{"fields of a newer version", newer, []byte(strings.Replace(string(newer), `"AQ"`, `"DE"`, 1)), []string{`/ship_to/country "AQ" "DE"`}},
		{"a line as a customer sends it", record(), record(`"items":[`, `"items":[{"sku":"BOTTLE-750","quantity":2},`), []string{
			`/items/0  {"name":"Trinkflasche Edelstahl 750 ml","quantity":2,"size_mm":[270,80,80],"sku":"BOTTLE-750","unit_price":{"amount":"24.90","currency":"EUR"},"weight_g":420}`,
		}},
		{"an old line without its data", record(), record(`"quantity":1,"name":"No longer sold"`, `"quantity":3`), []string{`/items/0/quantity 1 3`}},
		{"an invalid one is corrected", record(`"AQ"`, `"aq"`), record(`"AQ"`, `"DE"`), []string{`/ship_to/country "aq" "DE"`}},
	} {
		value, faults := check(t, edit.Base{Original: row.original}, row.edited)
		var got []string
		for _, c := range edit.Diff(row.original, []byte(value)) {
			got = append(got, fmt.Sprintf("%s %s %s", c.Pointer, c.Old, c.New))
		}
		if diff := cmp.Diff(row.want, got); diff != "" || len(faults) > 0 {
			t.Errorf("%s: faults %q, changes (-want +got):\n%s", row.name, faults, diff)
		}
	}
}

func TestFaultsOfAnEditAreNamed(t *testing.T) {
	t.Parallel()
	const stays = " must stay as it is: it identifies the order"
	for _, row := range []struct {
		name   string
		edited []byte
		want   []string
	}{
		{"no JSON", []byte("{"), []string{"must be JSON"}},
		{"nothing", nil, []string{"must be JSON"}},
		{"no object", []byte("[]"), []string{"must be an object"}},
		{"null", []byte("null"), []string{"must be an object"}},
		{"another ID", record("ord_1", "ord_2"), []string{"/id" + stays, "key \"ord_1\" is not the order's ID"}},
		{"another owner", record("customer:zoe", "customer:eve"), []string{"/owner" + stays}},
		{"no owner", record(`"owner":"customer:zoe",`, ""), []string{"/owner" + stays}},
		{"another link token", record("mfzw", "nfzw"), []string{"/link_token" + stays}},
		{"another time", record("2023", "2024"), []string{"/placed_at" + stays}},
		{"a newer schema", record(`"schema":1`, `"schema":9`), []string{"/schema" + stays, "written by a newer version: schema 9"}},
		{"a refund", record(`{`, `{"refund":{"of":"ord_1"},`), []string{"/refund" + stays, `id "ord_1"`}},
		{"another price", record("1.00", "0.01"), []string{"/items/0/unit_price must stay as it is, or be as in the catalogue: omit it to have it filled in"}},
		{"another weight", record(`"weight_g":5`, `"weight_g":50`), []string{"/items/0/weight_g must stay as it is, or be as in the catalogue: omit it to have it filled in"}},
		{"what is not sold", record("OLD", "FLYING-CARPET"), []string{"/items/0/sku is not in the catalogue"}},
		{"values", record(`"AQ"`, `"aq"`, "zoe@example.com", "zoe@", `"quantity":1`, `"quantity":0`, "Ring twice", `\u0000`), []string{
			"/customer/email must be an e-mail address such as zoe@example.com", "/ship_to/country must be an ISO 3166-1 alpha-2 code in upper case, such as DE",
			"/note must not contain control characters, line breaks or text direction overrides", "/items/0/quantity must be a whole number from 1 to 10000",
		}},
		{"types", record(`"AQ"`, `7`, `"quantity":1`, `"quantity":1.5`, `"customer":{`, `"customer":null,"x":{`, `[1,2,3]`, `{}`), []string{
			"/customer must be an object", "/items/0/quantity must be a whole number", "/items/0/size_mm must be an array", "/ship_to/country must be a string", "/x is an unknown field",
		}},
		{"unknown fields", record(`{`, `{"a/b~c":1,`, `"country"`, `"phone":"1","country"`), []string{"/a~1b~0c is an unknown field", "/ship_to/phone is an unknown field"}},
		{"fields given twice", record(`"country"`, `"country":"DE","country"`), []string{"/ship_to/country appears twice"}},
		{"no items", record(`"items":[`, `"items":[],"note2":[`), []string{"/note2 is an unknown field"}},
		{"too large", []byte(strings.Repeat(" ", 1<<20+1)), []string{"must have at most 1048576 bytes"}},
	} {
		value, faults := check(t, edit.Base{Original: record()}, row.edited)
		if diff := cmp.Diff(row.want, faults); diff != "" || value != "" {
			t.Errorf("%s: value %.40q, faults (-want +got):\n%s", row.name, value, diff)
		}
	}
}

// TestRefundKeepsWhatWasComputed edits a refund: its lines are those that its tax was computed for.
func TestRefundKeepsWhatWasComputed(t *testing.T) {
	t.Parallel()
	o := placed()
	o.ID, o.Refund = o.ID.Refund(1), &order.Refund{Of: "ord_1", Number: 1, Tax: order.EUR.Cents(19), Invoice: order.Invoice{
		Number: "INV-1", IssuedAt: o.PlacedAt, Taxes: []order.Tax{{Category: order.VATStandard, Rate: 1900, Net: order.EUR.Cents(100), Tax: order.EUR.Cents(19)}},
	}}
	r := wire.Order(o)
	shop, err := catalogue.Load("")
	if err != nil {
		t.Fatal(err)
	}
	b := edit.Base{Key: r.Key, Original: r.Value}
	if _, faults := edit.Check(b, []byte(strings.Replace(string(r.Value), "zoe@", "zoe.l@", 1)), shop.Price); len(faults) > 0 {
		t.Errorf("another e-mail address: got %v", faults)
	}
	_, faults := edit.Check(b, []byte(strings.Replace(string(r.Value), `"quantity":1`, `"quantity":2`, 1)), shop.Price)
	if len(faults) != 1 || faults[0].Pointer != "/items" {
		t.Errorf("another quantity: got %v, want /items to stay", faults)
	}
}

// TestNewestVersionIsTheBase edits an edit: a line that it removed can come back as it was.
func TestNewestVersionIsTheBase(t *testing.T) {
	t.Parallel()
	without := record(`"sku":"OLD"`, `"sku":"BOTTLE-750"`, `"name":"No longer sold","unit_price":{"amount":"1.00","currency":"EUR"},"weight_g":5,"size_mm":[1,2,3]`, `"name":"Trinkflasche Edelstahl 750 ml"`)
	newest, faults := check(t, edit.Base{Original: record()}, without)
	if len(faults) > 0 {
		t.Fatalf("got %q", faults)
	}
	b := edit.Base{Original: record(), Newest: []byte(newest)}
	if _, faults := check(t, b, record()); len(faults) > 0 {
		t.Errorf("got %q, want the line of the original accepted", faults)
	}
	if got := b.Diff(record()); len(got) != 7 || got[5].Pointer != "/items/0/unit_price/amount" {
		t.Errorf("got %+v, want the differences from the newest version", got)
	}
}

// TestRecordThatIsNoOrderBecomesOne has no version before that is JSON: all lines must be in the catalogue.
func TestRecordThatIsNoOrderBecomesOne(t *testing.T) {
	t.Parallel()
	b := edit.Base{Original: []byte("\xffno order")}
	sold := record(`"sku":"OLD"`, `"sku":"BOTTLE-750"`, `"name":"No longer sold","unit_price":{"amount":"1.00","currency":"EUR"},"weight_g":5,"size_mm":[1,2,3]`, `"name":"Trinkflasche Edelstahl 750 ml"`)
	if value, faults := check(t, b, sold); !strings.Contains(value, `"amount":"24.90"`) {
		t.Errorf("got %s, %q; want the order with the price of the catalogue", value, faults)
	}
	if _, faults := check(t, b, record()); len(faults) != 1 || faults[0] != "/items/0/sku is not in the catalogue" {
		t.Errorf("got %q, want no line that is not sold", faults)
	}
}

func TestDiffNamesTheSmallestParts(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ before, after, want string }{
		{`{"a":1}`, ` { "a" : 1 } `, `[]`},
		{`{"a":1,"b":{"c":2}}`, `{"b":{"c":3},"d":4}`, `[{"Pointer":"/a","Old":1,"New":null},{"Pointer":"/b/c","Old":2,"New":3},{"Pointer":"/d","Old":null,"New":4}]`},
		{`{"a":null}`, `{}`, `[{"Pointer":"/a","Old":null,"New":null}]`},
		{`[1,2,3,4]`, `[1,3,4]`, `[{"Pointer":"/1","Old":2,"New":null}]`},
		{`[1,2,3]`, `[0,1,2,3,9]`, `[{"Pointer":"/0","Old":1,"New":0},{"Pointer":"/1","Old":2,"New":1},{"Pointer":"/2","Old":3,"New":2},{"Pointer":"/3","Old":null,"New":3},{"Pointer":"/4","Old":null,"New":9}]`},
		{`[[1]]`, `[[1,2]]`, `[{"Pointer":"/0/1","Old":null,"New":2}]`},
		{`1.0`, `1`, `[{"Pointer":"","Old":1.0,"New":1}]`},
		{`{"a/b":{"~":"<&>"}}`, `{"a/b":{"~":[]}}`, `[{"Pointer":"/a~1b/~0","Old":"<&>","New":[]}]`},
		{"no\xffJSON", `"x"`, `[{"Pointer":"","Old":"no�JSON","New":"x"}]`},
		{"", "", `[]`},
	} {
		got, err := json.Marshal(append([]edit.Change{}, edit.Diff([]byte(row.before), []byte(row.after))...))
		text := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(got))
		if err != nil || text != row.want {
			t.Errorf("%s and %s: got %s, %v; want %s", row.before, row.after, text, err, row.want)
		}
	}
}
