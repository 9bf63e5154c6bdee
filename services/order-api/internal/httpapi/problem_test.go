package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"example.com/orders/shared/golden"
	"example.com/orders/shared/order"
)

const good = `{"customer":{"name":"Zoë Łukasiewicz","email":"zoe@example.com"},"ship_to":{"line1":"1 Main Street","city":"Berlin",` +
	`"postal_code":"10115","country":"DE"},"service":"standard","items":[{"sku":"BOTTLE-750","quantity":2}],"note":""}`

// with is the good order with a text replaced.
func with(old, other string) string { return strings.Replace(good, old, other, 1) }

// refusals are requests that get a problem; the responses are in testdata/problems.golden.
var refusals = []struct {
	name, method, path, body string
	header                   []string
}{
	{"empty body", "POST", "/v1/orders", "", nil},
	{"no JSON", "POST", "/v1/orders", "{customer", nil},
	{"ends early", "POST", "/v1/orders", good[:40], nil},
	{"two orders", "POST", "/v1/orders", good + good, nil},
	{"invalid UTF-8", "POST", "/v1/orders", with("Zoë", "Zo\xeb"), nil},
	{"nested too deep", "POST", "/v1/orders", strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), nil},
	{"nested in a field", "POST", "/v1/orders", with(`""`, strings.Repeat("[", 5_000)+strings.Repeat("]", 5_000)), nil},
	{"5 MB", "POST", "/v1/orders", with(`""`, `"`+strings.Repeat("x", 5<<20)+`"`), nil},
	{"no object", "POST", "/v1/orders", "[]", nil},
	{"nothing asked for", "POST", "/v1/orders", "{}", nil},
	{"unknown fields", "POST", "/v1/orders", with(`"note"`, `"total":{"amount":"0.01"},"a/b~c":1,"`+strings.Repeat("x", 99)+`":[{}],"note"`), nil},
	{"field of another case", "POST", "/v1/orders", with(`"service"`, `"Service"`), nil},
	{"fields given twice", "POST", "/v1/orders", with(`"note":""`, `"note":"a","note":"b","items":[]`), nil},
	{"price from the client", "POST", "/v1/orders", with(`"quantity":2`, `"quantity":2,"unit_price":{"amount":"0.01"}`), nil},
	{"wrong types", "POST", "/v1/orders", `{"customer":"Zoë","ship_to":[{}],"service":1,"items":{"sku":"A"},"note":null}`, nil},
	{"wrong types in a line", "POST", "/v1/orders", with(`{"sku":"BOTTLE-750","quantity":2}`, `7,{"sku":7,"quantity":"2"},{"sku":"BOTTLE-750","quantity":1.5}`), nil},
	{"unknown SKU", "POST", "/v1/orders", with("BOTTLE-750", "FLYING-CARPET"), nil},
	{"a SKU twice", "POST", "/v1/orders", with(`{"sku":"BOTTLE-750","quantity":2}`, `{"sku":"BOTTLE-750","quantity":2},{"sku":"BOTTLE-750","quantity":1}`), nil},
	{"quantity 0", "POST", "/v1/orders", with(`"quantity":2`, `"quantity":0`), nil},
	{"quantity 10^9", "POST", "/v1/orders", with(`"quantity":2`, `"quantity":1000000000`), nil},
	{"quantity 1e400", "POST", "/v1/orders", with(`"quantity":2`, `"quantity":1e400`), nil},
	{"country in lower case", "POST", "/v1/orders", with(`"DE"`, `"de"`), nil},
	{"no such country", "POST", "/v1/orders", with(`"DE"`, `"XX"`), nil},
	{"no e-mail", "POST", "/v1/orders", with("zoe@example.com", "zoe@"), nil},
	{"mistyped VAT ID", "POST", "/v1/orders", with("zoe@example.com", `zoe@example.com","vat_id":"de12345678`), nil},
	{"CR and LF", "POST", "/v1/orders", with("zoe@example.com", `zoe@example.com\r\nBcc: all@example.com`), nil},
	{"control characters", "POST", "/v1/orders", with("Main", `\u0000\u202e`), nil},
	{"10,000 runes", "POST", "/v1/orders", with("Zoë", strings.Repeat("ë", 10_000)), nil},
	{"201 lines", "POST", "/v1/orders", with(`{"sku":"BOTTLE-750","quantity":2}`, strings.Repeat(`{"sku":"BOTTLE-750","quantity":2},`, 300)+"1"), nil},
	{"no JSON type", "POST", "/v1/orders", good, []string{"Content-Type", "text/plain"}},
	{"empty key", "POST", "/v1/orders", good, []string{"Idempotency-Key", ""}},
	{"key with a space", "POST", "/v1/orders", good, []string{"Idempotency-Key", "a b"}},
	{"two keys", "POST", "/v1/orders", good, []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}},
	{"key of 201 characters", "POST", "/v1/orders", good, []string{"Idempotency-Key", strings.Repeat("k", 201)}},
	{"key of another order", "POST", "/v1/orders", with(`""`, `"other"`), []string{"Idempotency-Key", "k1"}},
	{"quote for nothing", "POST", "/v1/quotes", "{}", nil},
	{"quote with unknown fields", "POST", "/v1/quotes", with(`"note"`, `"total"`), nil},
	{"quote of what is not sold", "POST", "/v1/quotes", `{"ship_to":{"country":"de"},"items":[{"sku":"A","quantity":"2"}]}`, nil},
	{"quote to where nothing is shipped", "POST", "/v1/quotes", `{"ship_to":{"country":"AQ"},"items":[{"sku":"BOTTLE-750","quantity":2}]}`, nil},
	{"quote of what is not in a hurry", "POST", "/v1/quotes", `{"ship_to":{"country":"ES","postal_code":"35001"},"service":"express","items":[{"sku":"BOTTLE-750","quantity":2}]}`, nil},
	{"quote of too much", "POST", "/v1/quotes", `{"ship_to":{"country":"ES","postal_code":"35001"},"items":[{"sku":"BOTTLE-750","quantity":10000}]}`, nil},
	{"query badly encoded", "GET", "/v1/orders?status=%zz", "", nil},
	{"page of another origin", "POST", "/v1/orders", good, []string{"Sec-Fetch-Site", "cross-site"}},
	{"form of another origin", "POST", "/v1/dead-letters/0-0/replay", "", []string{"Origin", "https://example.com"}},
	{"name of another host", "GET", "/v1/orders", "", []string{"Host", "evil.example"}},
	{"parameter misspelt", "GET", "/v1/orders?statu=dead", "", nil},
	{"parameter given twice", "GET", "/v1/dead-letters?step=email&step=invoice", "", nil},
	{"unknown status", "GET", "/v1/orders?status=done", "", nil},
	{"limit 0", "GET", "/v1/orders?limit=0", "", nil},
	{"limit no number", "GET", "/v1/orders?limit=x", "", nil},
	{"from no time", "GET", "/v1/orders?from=yesterday", "", nil},
	{"foreign cursor", "GET", "/v1/orders?cursor=x", "", nil},
	{"invoice not issued", "GET", "/v1/orders/ORDER/invoice.pdf", "", nil},
	{"data of an invoice not issued", "GET", "/v1/orders/ORDER/invoice.xml", "", nil},
	{"cancel of an unknown order", "POST", "/v1/orders/ord_x/cancel", "", nil},
	{"refund before the invoice", "POST", "/v1/orders/ORDER/refund", "", nil},
	{"refund that is no JSON", "POST", "/v1/orders/SOLD/refund", "{items", nil},
	{"refund that is no object", "POST", "/v1/orders/SOLD/refund", "null", nil},
	{"refund of no lines", "POST", "/v1/orders/SOLD/refund", `{"items":[],"shipping":true}`, nil},
	{"refund with unknown fields", "POST", "/v1/orders/SOLD/refund", `{"total":{"amount":"999.00"},"items":[{"sku":"BOTTLE-750","quantity":1,"net":"9.00"}]}`, nil},
	{"refund with fields given twice", "POST", "/v1/orders/SOLD/refund", `{"shipping":true,"reason":"","shipping":false}`, nil},
	{"refund with wrong types", "POST", "/v1/orders/SOLD/refund", `{"items":{},"shipping":"yes","reason":1}`, nil},
	{"refund with null", "POST", "/v1/orders/SOLD/refund", `{"items":null,"shipping":null,"reason":null}`, nil},
	{"refund of wrong lines", "POST", "/v1/orders/SOLD/refund", `{"items":[{"sku":"BOTTLE-750"},{"sku":"BOTTLE-750","quantity":1},{"quantity":1}]}`, nil},
	{"refund of more than was ordered", "POST", "/v1/orders/SOLD/refund", `{"items":[{"sku":"BOTTLE-750","quantity":3},{"sku":"MUG","quantity":1}]}`, nil},
	{"refund of 201 lines", "POST", "/v1/orders/SOLD/refund", `{"items":[` + strings.Repeat(`{"sku":"BOTTLE-750","quantity":1},`, 300) + `1]}`, nil},
	{"refund for a reason of two rows", "POST", "/v1/orders/SOLD/refund", `{"reason":"a\nb"}`, nil},
	{"refund as text", "POST", "/v1/orders/SOLD/refund", "{}", []string{"Content-Type", "text/plain"}},
	{"form of another origin that refunds", "POST", "/v1/orders/SOLD/refund", "", []string{"Origin", "https://example.com"}},
	{"unknown kind of order", "GET", "/v1/orders?kind=invoice", "", nil},
	{"form of another origin that cancels", "POST", "/v1/orders/ORDER/cancel", "", []string{"Origin", "https://example.com"}},
	{"event that cannot be", "GET", "/v1/orders/ORDER/events", "", []string{"Last-Event-ID", "x"}},
	{"unknown dead letter", "GET", "/v1/dead-letters/9-9", "", nil},
	{"replay of an unknown dead letter", "POST", "/v1/dead-letters/x/replay", "", nil},
	{"replay for a reason of two rows", "POST", "/v1/dead-letters/x/replay", `{"reason":"a\nb","why":1}`, nil},
	{"override that is no flag", "POST", "/v1/dead-letters/x/replay", `{"override":"yes"}`, nil},
	{"edit without a version", "POST", "/v1/dead-letters/LETTER/edit", `{"value":{}}`, nil},
	{"edit without a value", "POST", "/v1/dead-letters/LETTER/edit", `{"version":0}`, nil},
	{"edit of an unknown dead letter", "POST", "/v1/dead-letters/9-9/edit", `{"version":0,"value":{}}`, nil},
	{"edit of a version that is not there", "POST", "/v1/dead-letters/LETTER/edit", `{"version":7,"value":{}}`, nil},
	{"edit to nothing", "POST", "/v1/dead-letters/LETTER/edit", `{"version":0,"value":{}}`, nil},
	{"edit with a field of the record", "POST", "/v1/dead-letters/LETTER/edit?preview=true", `{"version":0,"value":{"id":"ord_2","items":[{"sku":"BOTTLE-750","quantity":1,"unit_price":{"amount":"0.01"}}]}}`, nil},
	{"edit of what the invoice prints", "POST", "/v1/dead-letters/INVOICED/edit", `{"version":0,"value":` + with("Berlin", "Bonn") + `}`, nil},
	{"preview that may be", "POST", "/v1/dead-letters/LETTER/edit?preview=maybe", `{}`, nil},
	{"discard without a reason", "POST", "/v1/dead-letters/LETTER/discard", `{}`, nil},
	{"discard with an empty body", "POST", "/v1/dead-letters/LETTER/discard", "", nil},
	{"restore of what is open", "POST", "/v1/dead-letters/LETTER/restore", "", nil},
	{"note without a text", "POST", "/v1/dead-letters/LETTER/notes", `{}`, nil},
	{"note of 2001 characters", "POST", "/v1/dead-letters/LETTER/notes", `{"text":"` + strings.Repeat("ë", 2001) + `"}`, nil},
	{"unknown cause", "GET", "/v1/dead-letters/groups/cause_x", "", nil},
	{"assignment of an unknown cause", "POST", "/v1/dead-letters/groups/cause_x/assign", "", nil},
	{"assignment to several lines", "POST", "/v1/dead-letters/groups/cause_x/assign", `{"to":"a\nb"}`, nil},
	{"assignment and release", "POST", "/v1/dead-letters/groups/cause_x/assign", `{"to":"a","release":true}`, nil},
	{"note on an unknown cause", "POST", "/v1/dead-letters/groups/cause_x/notes", `{"text":"a"}`, nil},
	{"form of another origin that edits", "POST", "/v1/dead-letters/LETTER/edit", "", []string{"Origin", "https://example.com"}},
	{"form of another origin that imports", "POST", "/v1/dead-letters/import", "", []string{"Origin", "https://example.com"}},
	{"unknown state", "GET", "/v1/dead-letters?state=open,dead", "", nil},
	{"unknown class", "GET", "/v1/dead-letters?class=fatal", "", nil},
	{"export in another format", "GET", "/v1/dead-letters/export?format=xml", "", nil},
	{"export with a limit", "GET", "/v1/dead-letters/export?limit=5", "", nil},
	{"fix of nothing", "POST", "/v1/dead-letters/fix", `{"selection":{"filter":{}},"patch":[{"op":"remove","path":"/note"}]}`, nil},
	{"fix without a patch", "POST", "/v1/dead-letters/fix", `{"selection":{"all":true}}`, nil},
	{"fix with a patch that is none", "POST", "/v1/dead-letters/fix", `{"selection":{"all":true},"patch":[{"op":"replace","path":"note"}]}`, nil},
	{"fix with a cursor of a list", "POST", "/v1/dead-letters/fix?cursor=x", `{"selection":{"all":true},"patch":[{"op":"remove","path":"/note"}]}`, nil},
	{"job without a selection", "POST", "/v1/replays", `{"rate":5}`, nil},
	{"job of everything by mistake", "POST", "/v1/replays", `{"selection":{"filter":{}}}`, nil},
	{"job that selects nothing", "POST", "/v1/replays", `{"selection":{"filter":{"cause":"x"}}}`, nil},
	{"job of all and some", "POST", "/v1/replays", `{"selection":{"all":true,"ids":["1-1"]}}`, nil},
	{"job with wrong numbers", "POST", "/v1/replays", `{"selection":{"all":true},"rate":-1,"ramp":[1,0],"stop_above":2}`, nil},
	{"unknown job", "GET", "/v1/replays/job_x", "", nil},
	{"events of an unknown job", "GET", "/v1/replays/job_x/events", "", nil},
	{"pause of an unknown job", "POST", "/v1/replays/job_x/pause", "", nil},
	{"rate without a number", "POST", "/v1/replays/job_x/rate", `{}`, nil},
	{"unknown phase", "GET", "/v1/replays?phase=asleep", "", nil},
	{"cancel with a reason that is no JSON", "POST", "/v1/orders/ORDER/cancel", "because", nil},
	{"unknown outcome of an act", "GET", "/v1/audit?outcome=ok", "", nil},
	{"act that cannot be", "GET", "/v1/audit?act=", "", nil},
	{"actor that is no UTF-8", "GET", "/v1/audit?actor=%ff", "", nil},
	{"writing to the audit trail", "POST", "/v1/audit", "{}", nil},
	{"unknown step", "GET", "/v1/dead-letters?step=packing", "", nil},
	{"customer of 201 characters", "GET", "/v1/orders?customer=" + strings.Repeat("%C3%AB", 201), "", nil},
	{"customer that is no UTF-8", "GET", "/v1/orders?customer=%ff", "", nil},
	{"reason of 201 characters", "GET", "/v1/dead-letters?reason=" + strings.Repeat("x", 201), "", nil},
	{"empty limit", "GET", "/v1/orders?limit=", "", nil},
	{"empty status", "GET", "/v1/orders?status", "", nil},
	{"empty time", "GET", "/v1/orders?to=", "", nil},
	{"empty customer", "GET", "/v1/orders?customer=", "", nil},
	{"empty cursor", "GET", "/v1/dead-letters?cursor=", "", nil},
	{"empty state", "GET", "/v1/dead-letters?state=", "", nil},
	{"empty event", "GET", "/v1/orders/ORDER/events", "", []string{"Last-Event-ID", ""}},
	{"two events", "GET", "/v1/orders/ORDER/events", "", []string{"Last-Event-ID", "0", "Last-Event-ID", "1"}},
	{"compressed", "POST", "/v1/orders", good, []string{"Content-Encoding", "gzip"}},
	{"compressed twice", "POST", "/v1/orders/SOLD/refund", "{}", []string{"Content-Encoding", "identity, br"}},
	{"another charset", "POST", "/v1/orders", good, []string{"Content-Type", "application/json; charset=iso-8859-1"}},
	{"two types", "POST", "/v1/quotes", good, []string{"Content-Type", "application/json", "Content-Type", "text/plain"}},
	{"half of a surrogate pair", "POST", "/v1/orders", with("Zoë", `Zo\ud83d`), nil},
	{"the other half", "POST", "/v1/orders", with("Zoë", `\\\udc4d\ud83d`), nil},
	{"half of a pair in a name", "POST", "/v1/quotes", with(`"note"`, `"\ud83d\u0041"`), nil},
	{"half of a pair in a refund", "POST", "/v1/orders/SOLD/refund", `{"reason":"\uDFFF"}`, nil},
	{"invisible name", "POST", "/v1/orders", with("Zoë Łukasiewicz", "\u2800\u2800"), nil},
	{"unknown path", "GET", "/v2/orders", "", nil},
	{"file that is not there", "GET", "/docs/..%2fdocs.go", "", nil},
	{"wrong method", "DELETE", "/v1/orders/ORDER", "", nil},
}

func TestProblemsAreStable(t *testing.T) {
	t.Parallel()
	s := setup(t)
	first := s.send(t, s.http, "POST", "/v1/orders", good, "Idempotency-Key", "k1", "Content-Type", "application/json")
	if first.StatusCode != http.StatusAccepted {
		t.Fatalf("got %s", first.Status)
	}
	id := strings.TrimPrefix(first.Header.Get("Location"), "/v1/orders/")
	sold := s.place(t, wanted())
	s.work(t, &sold)
	dead, invoiced := s.place(t, wanted()), s.place(t, wanted())
	s.work(t, &invoiced)
	ids := strings.NewReplacer("ORDER", id, "SOLD", string(sold.Order.ID), "LETTER", s.failDead(t, &dead), "INVOICED", s.failDead(t, &invoiced))
	// Another step or status is no change of a problem.
	lists := strings.NewReplacer(list(order.Steps()), "[every step]", list(order.Statuses()), "[every status]")
	var got strings.Builder
	for _, r := range refusals {
		resp := s.send(t, s.http, r.method, ids.Replace(r.path), r.body, r.header...)
		fmt.Fprintf(&got, "## %s\n%s\n%s\n\n", r.name, resp.Status, lists.Replace(text(t, resp)))
		if h := resp.Header; h.Get("X-Request-Id") == "" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got headers %v, want the request's name and nosniff", r.name, h)
		}
	}
	golden.Compare(t, "testdata/problems.golden", got.String())
	if got := len(s.Records(t, s.Topics.Orders)); got != 4 {
		t.Errorf("got %d records in orders, want the four that were placed first", got)
	}
}

// list joins names as problems do.
func list[T ~string](names []T) string {
	var all []string
	for _, n := range names {
		all = append(all, string(n))
	}
	return strings.Join(all, ", ")
}
