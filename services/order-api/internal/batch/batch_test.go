package batch_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/batch"
	"example.com/orders/shared/cputime"
)

const header = "order,name,email,line1,line2,city,region,postal_code,country,service,sku,quantity,note\n"

const several = " (for several orders, write one on each line of a file that ends in .ndjson)"

func Example() {
	orders, _, err := batch.Read("orders.csv", strings.NewReader(header+
		"k1,Zoë,zoe@example.com,1 Main Street,,Berlin,,10115,DE,standard,BOTTLE-750,2,\n"+
		"k2,Иван,ivan@example.com,ул. Мира 1,,София,,1000,BG,express,MUG-RED,many,\n"+
		"k1,Zoë,zoe@example.com,1 Main Street,,Berlin,,10115,DE,standard,MUG-RED,1,\n"))
	fmt.Println(err)
	for _, o := range orders {
		fmt.Printf("%d %s %v %s\n", o.Line, o.Key, o.Err, o.Body)
	}
	// Output:
	// <nil>
	// 2 k1 <nil> {"customer":{"name":"Zoë","email":"zoe@example.com"},"ship_to":{"line1":"1 Main Street","city":"Berlin","postal_code":"10115","country":"DE"},"service":"standard","items":[{"sku":"BOTTLE-750","quantity":2},{"sku":"MUG-RED","quantity":1}],"reference":"k1"}
	// 3 k2 quantity "many" is not a whole number
}

// told formats an order as one line for comparison.
func told(orders []batch.Order) string {
	var all []string
	for _, o := range orders {
		text := fmt.Sprintf("%d %s %s", o.Line, o.Key, o.Body)
		if o.Err != nil {
			text = fmt.Sprintf("%d %s ! %v", o.Line, o.Key, o.Err)
		}
		all = append(all, text)
	}
	return strings.Join(all, "\n")
}

func TestJSONBodiesAreUnchanged(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, file, text, want string }{
		{"an object", "o.json", "{\n \"note\": 1\n}\n", `1  {"note":1}`},
		{"an object with a key", "o.json", `{"a": [1, 2], "order": "k1", "b": {"x": 1, "x": 2}}`, `1 k1 {"a":[1, 2],"b":{"x": 1, "x": 2},"reference":"k1"}`},
		{"a key and a reference", "o.json", `{"reference": "", "order": "k1"}`, `1 k1 {"reference":""}`},
		{"nothing but a key", "o.json", `{"order": "k1"}`, `1 k1 {"reference":"k1"}`},
		{"repeated fields go on", "o.json", `{"a": 1, "a": 2}`, `1  {"a":1,"a":2}`},
		{"a byte order mark", "o.json", "\ufeff{}", `1  {}`},
		{"lines", "o.ndjson", "{\"a\":1}\r\n\n{\"a\":2}", "1  {\"a\":1}\n3  {\"a\":2}"},
		{"a bad line", "o.jsonl", "{\"a\":1}\n{\"a\"\n[]\n{\"order\":7}\n{} {}\n{\"a\":2}\n", "1  {\"a\":1}\n" +
			"2  ! is not a JSON object: unexpected end of JSON input" + several + "\n3  ! is not a JSON object" + several + "\n" +
			"4  ! \"order\" must be a string: it is the idempotency key\n" +
			"5  ! is not a JSON object: invalid character '{' after top-level value" + several + "\n6  {\"a\":2}"},
		{"an object by its looks", "-", "{\n\"a\":1}", `1  {"a":1}`},
		{"lines by their looks", "-", "{\"a\":1}\n{\"a\":2}", "1  {\"a\":1}\n2  {\"a\":2}"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			orders, _, err := batch.Read(row.file, strings.NewReader(row.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, told(orders)); diff != "" {
				t.Errorf("orders (-want +got):\n%s", diff)
			}
		})
	}
}

// cells returns a row of a CSV file with the given cells; the others are constant.
func cells(key, name, sku, quantity, note string) string {
	return fmt.Sprintf("%s,%s,a@example.com,1 St,,B,,1,DE,standard,%s,%s,%s\n", key, name, sku, quantity, note)
}

func TestInvalidRowFailsOnlyItsOrder(t *testing.T) {
	t.Parallel()
	const rest = `{"customer":{"name":"Ann","email":"a@example.com"},"ship_to":{"line1":"1 St","city":"B","postal_code":"1","country":"DE"},"service":"standard",`
	good := rest + `"items":[{"sku":"A","quantity":1}]}`
	ann := cells("k1", "Ann", "A", "1", "")
	for _, row := range []struct{ name, text, want string }{
		{"two orders", ann + cells("k2", "Ann", "A", "1", ""), "2 k1 " + good + "\n3 k2 " + good},
		{"windows", strings.ReplaceAll(ann, "\n", "\r\n"), "2 k1 " + good},
		{
			"a note over two lines", cells("k1", "Ann", "A", "1", "\"Ring,\ntwice\"") + cells("k2", "Ann", "A", "1", ""),
			"2 k1 " + strings.TrimSuffix(good, "}") + `,"note":"Ring,\ntwice"}` + "\n4 k2 " + good,
		},
		{
			"another name", ann + cells("k2", "Ann", "A", "1", "") + cells("k1", "Bob", "B", "1", ""),
			`2 k1 ! row in line 4: column "name" is "Bob", but "Ann" in line 2` + "\n3 k2 " + good,
		},
		{"a fraction", cells("k1", "Ann", "A", "1.5", ""), `2 k1 ! quantity "1.5" is not a whole number`},
		{"no quantity", cells("k1", "Ann", "A", "", ""), `2 k1 ! quantity "" is not a whole number`},
		{"a huge quantity", cells("k1", "Ann", "A", "99999999999999999999", ""), `2 k1 ! quantity "99999999999999999999" is not a whole number`},
		{"a quantity below zero goes on", cells("k1", "Ann", "A", "-1", ""), "2 k1 " + strings.Replace(good, ":1}]", ":-1}]", 1)},
		{"a short row", "k1,Ann\n" + cells("k2", "Ann", "A", "1", ""), "2 k1 ! has 2 cells, must have 13\n3 k2 " + good},
		{"a long row", strings.TrimSuffix(ann, "\n") + ",x\n", "2 k1 ! has 14 cells, must have 13: put a cell with a comma or semicolon in quotation marks"},
		{
			"rows without a key", cells("", "Ann", "A", "1", "") + cells("", "Ann", "A", "1", ""),
			"2  ! column \"order\" must not be empty\n3  ! column \"order\" must not be empty",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			orders, _, err := batch.Read("o.csv", strings.NewReader(header+row.text))
			if err != nil {
				t.Fatal(err)
			}
			// The key of an order is its number, too.
			want := regexp.MustCompile(`(?m)^(\d+ (k\d) \{.*)\}$`).ReplaceAllString(row.want, `$1,"reference":"$2"}`)
			if diff := cmp.Diff(want, told(orders)); diff != "" {
				t.Errorf("orders (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCSVHasAColumnForTheVATID(t *testing.T) {
	t.Parallel()
	const file = "order,name,email,vat_id,line1,city,country,service,sku,quantity\nk1,Ann,a@example.com,ATU12345678,A,B,AT,standard,A,1\n"
	orders, _, err := batch.Read("o.csv", strings.NewReader(file))
	if err != nil || len(orders) != 1 {
		t.Fatalf("got %v, %v; want one order", orders, err)
	}
	if want := `"customer":{"name":"Ann","email":"a@example.com","vat_id":"ATU12345678"}`; !strings.Contains(string(orders[0].Body), want) {
		t.Errorf("got %s, want %s in it", orders[0].Body, want)
	}
}

func TestByteOrderMarkAndLineEndsOfSpreadsheets(t *testing.T) {
	t.Parallel()
	orders, _, err := batch.Read("o.csv", strings.NewReader("\ufeff"+strings.ReplaceAll(header+cells("k1", "Ann", "A", "1", ""), "\n", "\r\n")))
	if err != nil || len(orders) != 1 || orders[0].Key != "k1" || orders[0].Err != nil {
		t.Errorf("got %s, %v; want one order", told(orders), err)
	}
}

func TestInvalidFileIsRefusedWithItsLine(t *testing.T) {
	t.Parallel()
	const columns = "; the header must be: order,name,email,vat_id,line1,line2,city,region,postal_code,country,service,sku,quantity,note,company,purchase_order,buyer_reference,bill_name,bill_company,bill_line1,bill_line2,bill_city,bill_region,bill_postal_code,bill_country"
	for _, row := range []struct{ name, file, text, want string }{
		{"empty", "o.csv", "", "o.csv: is empty"},
		{"blank", "o.json", " \n\n", "o.json: is empty"},
		{"only a mark", "-", "\ufeff", "-: is empty"},
		{"only a header", "o.csv", header, "o.csv: has a header and no rows"},
		{
			"missing columns", "o.csv", "order,name,email\nk1,Ann,a@example.com\n",
			`o.csv:1: no column "line1", no column "city", no column "country", no column "service", no column "sku", no column "quantity"` + columns,
		},
		{
			"unknown and repeated columns", "-", "Orders,name,name," + strings.TrimPrefix(header, "order,name,"),
			`-:1: unknown column "orders", column "name" appears twice, no column "order"` + columns,
		},
		{"neither UTF-8 nor Windows-1252", "o.csv", header + "k1,Zo\x81,", `o.csv:2: is neither UTF-8 nor Windows-1252: save the file as "CSV UTF-8"`},
		{"Polish", "o.csv", header + "k1,Pawe\xb3,", `o.csv:2: is neither UTF-8 nor Windows-1252: save the file as "CSV UTF-8"`},
		{"Macintosh", "o.csv", header + "k1,M\x9fller,", `o.csv:2: is neither UTF-8 nor Windows-1252: save the file as "CSV UTF-8"`},
		{"half an object", "o.json", "{\"a\":\n1\n", "o.json:2: is not a JSON object: unexpected end of JSON input" + several},
		{"half a value", "o.json", "{\"a\":\n[1,\n", "o.json:2: is not a JSON object: unexpected end of JSON input" + several},
		{"no JSON", "o.json", "{\"a\":\n x}", "o.json:2: is not a JSON object: invalid character 'x' looking for beginning of value" + several},
		{"a list", "o.json", "[{}]", "o.json:1: is not a JSON object" + several},
		{"two objects", "o.json", "{}\n{}", "o.json:2: is not a JSON object: invalid character '{' after top-level value" + several},
		{"two keys", "o.json", "{\n\"order\":\"a\",\n\"order\":\"b\"}", `o.json:3: "order" appears twice`},
		{"a key that is no text", "o.json", "{\n\"order\":7}", `o.json:2: "order" must be a string: it is the idempotency key`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			orders, _, err := batch.Read(row.file, strings.NewReader(row.text))
			if got := fmt.Sprint(err); got != row.want || orders != nil {
				t.Errorf("got  %s %v\nwant %s", got, orders, row.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"o.csv", "o.json", "o.ndjson", "-"} {
		f.Add(name, header+cells("k1", "Ann", "A", "1", "\"a\nb\""))
		f.Add(name, `{"order":"k1","a":[{}]}`)
		f.Add(name, "\ufeff{\n}\xff")
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		orders, _, err := batch.Read(name, strings.NewReader(text))
		if err == nil && len(orders) == 0 {
			t.Error("got neither orders nor an error")
		}
		for _, o := range orders {
			if (o.Err == nil) != json.Valid(o.Body) || o.Line < 1 || o.Line > 1+strings.Count(text, "\n") {
				t.Errorf("got %+v, want an error or a body in JSON, and a line of the file", o)
			}
		}
	})
}

func FuzzCSVKeepsEveryCell(f *testing.F) {
	f.Add("k1", "Zoë \"the\" Łukasiewicz", "1 Main\nStreet", "a,b", 2)
	f.Fuzz(func(t *testing.T, key, name, street, note string, quantity int) {
		key = "k" + key // a key that is a number or a date is refused
		for _, text := range []string{key, name, street, note} {
			if !utf8.ValidString(text) || strings.TrimSpace(text) != text || strings.ContainsAny(text, "\r\u200b\ufeff") || strings.ContainsAny(text[:min(1, len(text))], "=#") {
				t.Skip("trimmed or refused, as other tests show")
			}
		}
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		row := []string{key, name, "a@example.com", street, "", "B", "", "1", "DE", "standard", "A", fmt.Sprint(quantity), note}
		if err := w.WriteAll([][]string{strings.Split(strings.TrimSpace(header), ","), row}); err != nil {
			t.Fatal(err)
		}
		orders, _, err := batch.Read("o.csv", &file)
		if err != nil || len(orders) != 1 || orders[0].Err != nil {
			t.Fatalf("got %+v, %v; want one order", orders, err)
		}
		var got struct {
			Customer struct{ Name string }
			ShipTo   struct{ Line1 string } `json:"ship_to"`
			Items    []struct{ Quantity int }
			Note     string
		}
		if err := json.Unmarshal(orders[0].Body, &got); err != nil {
			t.Fatal(err)
		}
		want := []string{key, name, street, note, fmt.Sprint(quantity)}
		if diff := cmp.Diff(want, []string{orders[0].Key, got.Customer.Name, got.ShipTo.Line1, got.Note, fmt.Sprint(got.Items[0].Quantity)}); diff != "" {
			t.Errorf("cells (-want +got):\n%s", diff)
		}
	})
}

// The line of each field was once counted from the beginning of the file: 25 s for 400,000 fields. What is compared is the CPU
// time of as many fields in small files and in large ones, which took sixteen times as long.
func TestAnOrderOfManyFieldsIsReadInLinearTime(t *testing.T) {
	read := func(times, fields int) time.Duration {
		var text strings.Builder
		text.WriteString("{\n")
		for i := range fields {
			fmt.Fprintf(&text, "\"field%d\": 1,\n", i)
		}
		text.WriteString("\"order\": \"k1\"}")
		return cputime.Of(func() {
			for range times {
				orders, _, err := batch.Read("o.json", strings.NewReader(text.String()))
				if err != nil || len(orders) != 1 || orders[0].Key != "k1" {
					t.Fatalf("got %d orders, %v; want one", len(orders), err)
				}
			}
		})
	}
	if few, many := read(64, 2_000), read(4, 32_000); many > 5*few {
		t.Errorf("got %s for 64 times 2,000 fields and %s for 4 times 32,000, want about the same", few, many)
	}
}

func TestColumnsOfTheInvoiceMakeItsAddress(t *testing.T) {
	t.Parallel()
	text := "order,name,email,line1,city,country,service,sku,quantity,vat_id,company,purchase_order,buyer_reference,bill_company,bill_line1,bill_city,bill_country\n" +
		"7,Ann,a@example.com,1 St,B,DE,standard,A,1,DE123456789,Studio,PO-7,Dept. 7,Holding,2 St,C,FR\n" +
		"8,Ann,a@example.com,1 St,B,DE,standard,A,1,DE123456789,Studio,,,,,,\n"
	orders, _, err := batch.Read("o.csv", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	const to = `"ship_to":{"line1":"1 St","city":"B","country":"DE"},`
	want := `2 7 {"customer":{"name":"Ann","company":"Studio","email":"a@example.com"},` + to +
		`"bill_to":{"company":"Holding","vat_id":"DE123456789","line1":"2 St","city":"C","country":"FR"},"service":"standard",` +
		`"items":[{"sku":"A","quantity":1}],"reference":"7","buyer_reference":"Dept. 7","purchase_order":"PO-7"}` + "\n" +
		`3 8 {"customer":{"name":"Ann","company":"Studio","email":"a@example.com","vat_id":"DE123456789"},` + to +
		`"service":"standard","items":[{"sku":"A","quantity":1}],"reference":"8"}`
	if diff := cmp.Diff(want, told(orders)); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
}
