package edit_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/catalogue"
	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/edit/jsondiff"
	"example.com/orders/shared/address"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

func placed() order.Order {
	return order.Order{
		ID: "ord_1", PlacedAt: time.UnixMilli(1_700_000_000_000).UTC(), Service: order.Standard, Note: "Ring twice",
		Customer: order.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com", VATID: "DE123456789"},
		BillTo: &order.BillTo{
			Company: "Example Holding AG", VATID: "DE123456789", Address: order.Address{Line1: "2 Main Street", City: "Bonn", PostalCode: "53111", Country: "DE"},
		},
		Reference: "2026-1042", BuyerReference: "04011000-12345-34", PurchaseOrder: "PO-7",
		ShipTo: order.Address{Line1: "McMurdo Station", Line2: "Hut 7", City: "Ross Island", Region: "South", PostalCode: "10115", Country: "AQ"},
		Lines:  []order.Line{{SKU: "OLD", Quantity: 1, Name: "No longer sold", UnitPrice: order.EUR.Cents(100), Grams: 5, Size: [3]int{1, 2, 3}}},
		Owner:  order.Actor{Kind: order.ActorCustomer, ID: "zoe"}, LinkToken: "mfzwizltoq2gk3tunfxw42lomq",
	}
}

// base has the record that placed the order.
func base() edit.Base { return edit.Base{Key: []byte("ord_1"), Original: wire.Order(placed()).Value} }

func price(t testing.TB) edit.Price {
	t.Helper()
	shop, err := catalogue.Load("")
	if err != nil {
		t.Fatal(err)
	}
	places, err := address.Load()
	if err != nil {
		t.Fatal(err)
	}
	return func(o *order.Order) []order.Invalid {
		return slices.Concat(places.Missing(o), places.Normalise(o), shop.Price(o))
	}
}

func TestPostalCodesOfAnEditAreThoseOfANewOrder(t *testing.T) {
	t.Parallel()
	if edited, err := base().Edit(doc(t, `"postal_code":"53111"`, `"postal_code":"D-10115"`), price(t)); err != nil || !strings.Contains(string(edited.Value), `"postal_code":"10115"`) {
		t.Errorf("got %s, %v, want the code in one form", edited.Value, err)
	}
	_, err := base().Edit(doc(t, `"postal_code":"53111"`, `"postal_code":"1011"`), price(t))
	invalid, ok := errors.AsType[*edit.InvalidError](err)
	if !ok || len(invalid.Faults) != 1 || invalid.Faults[0].Pointer != "/bill_to/postal_code" || !strings.Contains(invalid.Faults[0].Detail, "Germany") {
		t.Errorf("got %v, want a fault of the postal code", err)
	}
	b := base()
	b.Original = bytes.Replace(b.Original, []byte("53111"), []byte("D-5"), 1)
	text, err := b.Document()
	if err != nil {
		t.Fatal(err)
	}
	if edited, err := b.Edit(bytes.Replace(text, []byte("Bonn"), []byte("Köln"), 1), price(t)); err != nil || !strings.Contains(string(edited.Value), "D-5") {
		t.Errorf("got %s, %v, want the code of another program as it was", edited.Value, err)
	}
}

// TestAnEditKeepsTheCodeThatVATDependsOn: it is refused as a new order is. What was so before can stay.
func TestAnEditKeepsTheCodeThatVATDependsOn(t *testing.T) {
	t.Parallel()
	for name, replaced := range map[string][]string{
		"another country": {`"country":"AQ"`, `"country":"GB"`, `"postal_code":"10115",`, ""},
		"only spaces":     {`"country":"AQ"`, `"country":"ES"`, `"postal_code":"10115"`, `"postal_code":" "`},
	} {
		_, err := base().Edit(doc(t, replaced...), price(t))
		invalid, ok := errors.AsType[*edit.InvalidError](err)
		if !ok || len(invalid.Faults) != 1 || invalid.Faults[0].Pointer != "/ship_to/postal_code" {
			t.Errorf("%s: got %v, want a fault of /ship_to/postal_code", name, err)
		}
	}
	b := base()
	b.Original = bytes.Replace(bytes.Replace(b.Original, []byte(`"AQ"`), []byte(`"GB"`), 1), []byte("10115"), nil, 1)
	text, err := b.Document()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Edit(bytes.Replace(text, []byte("Hut 7"), []byte("Hut 8"), 1), price(t)); err != nil {
		t.Errorf("got %v, want the address of another program as it was", err)
	}
}

// doc is the document of the order, with texts replaced in turn.
func doc(t testing.TB, replaced ...string) []byte {
	t.Helper()
	text, err := base().Document()
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replaced); i += 2 {
		if !strings.Contains(string(text), replaced[i]) {
			t.Fatalf("%s is not in %s", replaced[i], text)
		}
		text = []byte(strings.Replace(string(text), replaced[i], replaced[i+1], 1))
	}
	return text
}

// told is a change, or a fault, as a line.
func told(changes []jsondiff.Change) (all []string) {
	for _, c := range changes {
		all = append(all, fmt.Sprintf("%s %s %s", c.Pointer, c.Before, c.After))
	}
	return all
}

func faults(err error) (all []string) {
	if invalid, ok := errors.AsType[*edit.InvalidError](err); ok {
		for _, f := range invalid.Faults {
			all = append(all, strings.TrimSpace(f.Pointer+" "+f.Detail))
		}
	}
	return all
}

func TestEditedOrderKeepsWhatIdentifiesIt(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		changed func(*order.Order)
		edited  []byte
		want    []string // changes
	}{
		{"the same", func(*order.Order) {}, doc(t), nil},
		{"in another form", func(*order.Order) {}, []byte(" " + strings.ReplaceAll(string(doc(t)), `,"`, `, "`)), nil},
		{"another country", func(o *order.Order) { o.ShipTo.Country = "DE" }, doc(t, `"AQ"`, `"DE"`), []string{`/ship_to/country "AQ" "DE"`}},
		{"without a note", func(o *order.Order) { o.Note = "" }, doc(t, `,"note":"Ring twice"`, ``), []string{`/note "Ring twice" `}},
		{"without a VAT ID", func(o *order.Order) { o.Customer.VATID = "" }, doc(t, `,"vat_id":"DE123456789"`, ``), []string{`/customer/vat_id "DE123456789" `}},
		{"another quantity", func(o *order.Order) { o.Lines[0].Quantity = 3 }, doc(t, `"quantity":1`, `"quantity":3`), []string{`/items/0/quantity 1 3`}},
		{"one more line", func(o *order.Order) {
			sold := order.Order{Lines: []order.Line{{SKU: "BOTTLE-750", Quantity: 2}}}
			price(t)(&sold)
			o.Lines = append(sold.Lines, o.Lines...)
		}, doc(t, `"items":[`, `"items":[{"sku":"BOTTLE-750","quantity":2},`), []string{`/items/0  {"quantity":2,"sku":"BOTTLE-750"}`}},
	} {
		got, err := base().Edit(row.edited, price(t))
		if diff := cmp.Diff(row.want, told(got.Changes)); diff != "" || err != nil {
			t.Errorf("%s: %v, changes (-want +got):\n%s", row.name, err, diff)
			continue
		}
		want := placed()
		row.changed(&want)
		read, err := wire.ReadOrder(&kgo.Record{Key: []byte("ord_1"), Value: got.Value})
		read.Source = nil
		if diff := cmp.Diff(want, read); diff != "" || err != nil {
			t.Errorf("%s: %v, order (-want +got):\n%s", row.name, err, diff)
		}
	}
}

func TestFieldsOfANewerVersionSurvive(t *testing.T) {
	t.Parallel()
	b := base()
	b.Original = []byte(strings.NewReplacer(`{"schema"`, `{"newer":[1],"schema"`, `"country"`, `"planet":"Earth","country"`, `"sku"`, `"gift":true,"sku"`).Replace(string(b.Original)))
	got, err := b.Edit(doc(t, `"AQ"`, `"DE"`), price(t))
	for _, want := range []string{`"newer":[1]`, `"planet":"Earth"`, `"gift":true`, `"country":"DE"`} {
		if !strings.Contains(string(got.Value), want) || err != nil {
			t.Errorf("got %s, %v; want it with %s", got.Value, err, want)
		}
	}
}

func TestEachFaultOfAnEditIsNamed(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		edited []byte
		want   []string
	}{
		{"no JSON", []byte("{"), []string{"must be JSON"}},
		{"nothing", nil, []string{"must be JSON"}},
		{"no object", []byte("[]"), []string{"must be an object"}},
		{"null", []byte("null"), []string{"must be an object"}},
		{"what identifies it", doc(t, `{`, `{"id":"ord_2","owner":"customer:eve","link_token":"x","placed_at":"2024-01-01T00:00:00Z",`), []string{
			"/id is an unknown field", "/link_token is an unknown field", "/owner is an unknown field", "/placed_at is an unknown field",
		}},
		{"a price", doc(t, `"sku"`, `"unit_price":{"amount":"0.01","currency":"EUR"},"sku"`), []string{"/items/0/unit_price is an unknown field"}},
		{"what is not sold", doc(t, "OLD", "FLYING-CARPET"), []string{"/items/0/sku is not in the catalogue"}},
		{"a line without a SKU", doc(t, `"sku":"OLD",`, ""), []string{"/items/0/sku is not in the catalogue"}},
		{"a line without a quantity", doc(t, `,"quantity":1`, ""), []string{"/items/0/quantity must be a whole number from 1 to 10000"}},
		{"a line twice", doc(t, `{"sku"`, `{"sku":"OLD","quantity":1},{"sku"`), []string{"/items/1/sku repeats the SKU of /items/0"}},
		{"values", doc(t, `"AQ"`, `"aq"`, "zoe@example.com", "zoe@", `"quantity":1`, `"quantity":0`, "Ring twice", `\u0000`), []string{
			"/customer/email must be an e-mail address such as zoe@example.com", "/ship_to/country must be an ISO 3166-1 alpha-2 code in upper case, such as DE",
			"/note must not contain control characters, line breaks or text direction overrides", "/items/0/quantity must be a whole number from 1 to 10000",
		}},
		{"types", doc(t, `"AQ"`, `7`, `"quantity":1`, `"quantity":1.5`, `"customer":{`, `"customer":null,"x":{`), []string{
			"/customer must be an object", "/items/0/quantity must be a whole number from 1 to 10000", "/ship_to/country must be a string", "/x is an unknown field",
		}},
		{"unknown fields", doc(t, `{`, `{"a/b~c":1,`), []string{"/a~1b~0c is an unknown field"}},
		{"fields given twice", doc(t, `"country"`, `"country":"DE","country"`), []string{"/ship_to/country appears twice"}},
		{"no lines", doc(t, `{"sku":"OLD","quantity":1}`, ""), []string{"/items must have 1 to 200 lines"}},
		{"nothing at all", []byte("{}"), []string{
			"/customer/name must not be empty", "/customer/email must be an e-mail address such as zoe@example.com", "/ship_to/line1 must not be empty", "/ship_to/city must not be empty",
			"/ship_to/country must be an ISO 3166-1 alpha-2 code in upper case, such as DE", "/service must be standard or express", "/items must have 1 to 200 lines",
		}},
	} {
		got, err := base().Edit(row.edited, price(t))
		if diff := cmp.Diff(row.want, faults(err)); diff != "" || got.Value != nil {
			t.Errorf("%s: value %.40q, %v (-want +got):\n%s", row.name, got.Value, err, diff)
		}
	}
}

// A line of the catalogue has its kind of price, which the order must have, too.
func TestALineWithAnotherKindOfPriceIsRefused(t *testing.T) {
	t.Parallel()
	gross := func(o *order.Order) []order.Invalid {
		o.Gross = true
		return nil
	}
	_, err := base().Edit(doc(t, "OLD", "LAMP"), gross)
	want := []string{"/items/0/sku has a gross price in the catalogue, and the order has net prices"}
	if diff := cmp.Diff(want, faults(err)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if _, err := base().Edit(doc(t, `"quantity":1`, `"quantity":2`), gross); err != nil {
		t.Errorf("another quantity of a line of the order: got %v, want it allowed", err)
	}
}

func TestLockedPartsMustStay(t *testing.T) {
	t.Parallel()
	b := base()
	b.Locked = []string{"/ship_to", "/customer/name", "/items"}
	if _, err := b.Edit(doc(t, "zoe@example.com", "zoe@example.test"), price(t)); err != nil {
		t.Errorf("e-mail address: got %v, want it changed", err)
	}
	_, err := b.Edit(doc(t, `"AQ"`, `"DE"`, `"quantity":1`, `"quantity":2`), price(t))
	locked, ok := errors.AsType[*edit.LockedError](err)
	if diff := cmp.Diff([]string{"/items/0/quantity", "/ship_to/country"}, locked.Pointers); diff != "" || !ok {
		t.Errorf("locked: got %v (-want +got):\n%s", err, diff)
	}
}

func TestRefundsAndWhatIsNoOrderCannotBeEdited(t *testing.T) {
	t.Parallel()
	o := placed()
	o.ID, o.Refund = o.ID.Refund(1), &order.Refund{Of: "ord_1", Number: 1, Tax: order.EUR.Cents(19), Invoice: order.Invoice{
		Number: "INV-1", IssuedAt: o.PlacedAt, Taxes: []order.Tax{{Category: order.VATStandard, Rate: 1900, Net: order.EUR.Cents(100), Tax: order.EUR.Cents(19)}},
	}}
	r := wire.Order(o)
	for name, b := range map[string]edit.Base{
		"refund": {Key: r.Key, Original: r.Value}, "text": {Original: []byte("\xffno order")}, "nothing": {}, "another key": {Key: []byte("k"), Original: base().Original},
	} {
		if _, err := b.Edit(doc(t), price(t)); !errors.Is(err, edit.ErrNotEditable) {
			t.Errorf("%s: got %v, want ErrNotEditable", name, err)
		}
		if _, err := b.Document(); !errors.Is(err, edit.ErrNotEditable) {
			t.Errorf("%s: got %v, want no document", name, err)
		}
	}
}

// TestNewestVersionIsTheBase edits an edit: a line that it removed comes back as it was.
func TestNewestVersionIsTheBase(t *testing.T) {
	t.Parallel()
	b := base()
	first, err := b.Edit(doc(t, "OLD", "BOTTLE-750"), price(t))
	if err != nil {
		t.Fatal(err)
	}
	b.Newest = first.Value
	second, err := b.Edit(doc(t), price(t))
	if diff := cmp.Diff([]string{`/items/0/sku "BOTTLE-750" "OLD"`}, told(second.Changes)); diff != "" || err != nil {
		t.Errorf("%v, changes (-want +got):\n%s", err, diff)
	}
	if got := jsondiff.Diff(b.Original, second.Value); len(got) != 0 {
		t.Errorf("got %q, want the original again", told(got))
	}
}

func TestDiffNamesTheSmallestParts(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		before, after string
		want          []string
	}{
		{`{"a":1}`, ` { "a" : 1 } `, nil},
		{`{"a":1,"b":{"c":2}}`, `{"b":{"c":3},"d":4}`, []string{"/a 1 ", "/b/c 2 3", "/d  4"}},
		{`{"a":null}`, `{}`, []string{"/a null "}},
		{`[1,2,3,4]`, `[1,3,4]`, []string{"/1 2 "}},
		{`[1,2,3]`, `[0,1,2,3,9]`, []string{"/0 1 0", "/1 2 1", "/2 3 2", "/3  3", "/4  9"}},
		{`[[1]]`, `[[1,2]]`, []string{"/0/1  2"}},
		{`1.0`, `1`, []string{" 1.0 1"}},
		{`{"a/b":{"~":"<&>"}}`, `{"a/b":{"~":[]}}`, []string{`/a~1b/~0 "<&>" []`}},
		{"no\xffJSON", `"x"`, []string{` "no�JSON" "x"`}},
		{"", "", nil},
	} {
		if diff := cmp.Diff(row.want, told(jsondiff.Diff([]byte(row.before), []byte(row.after)))); diff != "" {
			t.Errorf("%s and %s (-want +got):\n%s", row.before, row.after, diff)
		}
	}
}
