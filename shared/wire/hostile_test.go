package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/wire"
)

// plain is an order as small as one can be.
const plain = `{"schema":1,"id":"ord_1","placed_at":"2026-03-02T09:30:00Z","customer":{"name":"A","email":"a@example.com"},` +
	`"ship_to":{"line1":"1 Main","city":"B","country":"DE"},"service":"standard",` +
	`"items":[{"sku":"A","quantity":1,"name":"a","unit_price":{"amount":"1.00","currency":"EUR"},"weight_g":1,"size_mm":[1,1,1]}]}`

func placed(value string) *kgo.Record { return &kgo.Record{Key: []byte("ord_1"), Value: []byte(value)} }

func TestWhatIsNoOrderIsUndecodable(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, old, wrong string }{
		{"nothing", plain, ""},
		{"null", plain, "null"},
		{"a number", plain, "1"},
		{"a text", plain, `"order"`},
		{"a list", plain, "[" + plain + "]"},
		{"noise", plain, "\x00\xff\xfe"},
		{"half an order", `"service"`, ""},
		{"two orders", plain, plain + plain},
		{"no UTF-8", `"name":"A"`, "\"name\":\"\xff\""},
		{"no UTF-8 in an unknown field", `"schema":1,`, "\"schema\":1,\"x\":\"\xff\","},
		{"no schema", `"schema":1,`, ""},
		{"schema 0", `"schema":1`, `"schema":0`},
		{"schema -1", `"schema":1`, `"schema":-1`},
		{"schema as text", `"schema":1`, `"schema":"2"`},
		{"half a schema", `"schema":1`, `"schema":1.5`},
		{"a schema beyond all numbers", `"schema":1`, `"schema":99999999999999999999`},
		{"no ID", `"id":"ord_1",`, ""},
		{"an ID that is not the key", `"ord_1"`, `"ord_2"`},
		{"no time", `"2026-03-02T09:30:00Z"`, `"yesterday"`},
		{"a time beyond JSON", `"2026-03-02T09:30:00Z"`, `"10000-01-01T00:00:00Z"`},
		{"a time beyond JSON in UTC", `"2026-03-02T09:30:00Z"`, `"9999-12-31T23:59:59-23:59"`},
		{"a time before JSON in UTC", `"2026-03-02T09:30:00Z"`, `"0000-01-01T00:00:00+23:59"`},
		{"no customer", `"name":"A",`, ""},
		{"a header in an e-mail", `a@example.com`, `a@example.com\r\nBcc: b@example.com`},
		{"a NUL", `"name":"A"`, `"name":"A\u0000"`},
		{"a customer of another kind", `{"name":"A","email":"a@example.com"}`, `"A"`},
		{"an owner of another kind", `"schema":1,`, `"schema":1,"owner":{"id":"17"},`},
		{"a link token as a number", `"schema":1,`, `"schema":1,"link_token":1,`},
		{"no lines", `"items":[`, `"lines":[`},
		{"a refund of nothing", `"schema":1,`, `"schema":2,"refund":{},`},
		{"a refund without an invoice", `"schema":1,"id":"ord_1"`, `"schema":2,"id":"ord_1","refund":{"of":"x","number":1}`},
		{"a refund of another ID", `"schema":1,`, `"schema":2,"refund":{"of":"ord","number":1,"invoice":{}},`},
		{"lines of another kind", `"items":[`, `"items":[1,`},
		{"quantity 0", `"quantity":1`, `"quantity":0`},
		{"quantity 10^9", `"quantity":1`, `"quantity":1000000000`},
		{"quantity 1e400", `"quantity":1`, `"quantity":1e400`},
		{"half a piece", `"quantity":1`, `"quantity":1.5`},
		{"quantity as text", `"quantity":1`, `"quantity":"1"`},
		{"prices that are no word", `"items"`, `"prices":"brutto","items"`},
		{"gross prices that older workers would not see", `"items"`, `"prices":"gross","items"`},
		{"no price", `"unit_price":{"amount":"1.00","currency":"EUR"},`, ""},
		{"no amount", `"amount":"1.00",`, ""},
		{"no currency", `,"currency":"EUR"`, ""},
		{"another currency", `"EUR"`, `"USD"`},
		{"a price as a number", `"1.00"`, `1.00`},
		{"a price with an exponent", `"1.00"`, `"1e400"`},
		{"a price below zero", `"1.00"`, `"-1.00"`},
		{"an absurd price", `"1.00"`, `"1000000.01"`},
		{"a weight below zero", `"weight_g":1`, `"weight_g":-1`},
		{"an absurd weight", `"weight_g":1`, `"weight_g":9223372036854775807`},
		{"a weight beyond all numbers", `"weight_g":1`, `"weight_g":9223372036854775808`},
		{"a side below zero", `[1,1,1]`, `[1,-1,1]`},
		{"an absurd side", `[1,1,1]`, `[1,1,9223372036854775807]`},
		{"sides of another kind", `[1,1,1]`, `["1"]`},
		{"nesting at the limit of JSON", `"schema":1,`, `"schema":1,"x":` + nested(9_999) + `,`},
		{"nesting that no order needs", `"schema":1,`, `"schema":1,"x":` + nested(100) + `,`},
		{"nesting in lines", `"items":[`, `"items":` + nested(200) + `,"x":[`},
		{"a number of a megabyte", `"quantity":1`, `"quantity":1` + strings.Repeat("0", 1<<20)},
		{"a time of a megabyte", `"2026-03-02T09:30:00Z"`, `"` + strings.Repeat("2", 1<<20) + `"`},
		{"a currency of a megabyte", `"EUR"`, `"` + strings.Repeat("E", 1<<20) + `"`},
		{"a SKU of a megabyte", `"sku":"A"`, `"sku":"` + strings.Repeat("A", 1<<20) + `"`},
	} {
		if !strings.Contains(plain, row.old) {
			t.Fatalf("%s: the order has no %s", row.name, row.old)
		}
		_, err := wire.ReadOrder(placed(strings.Replace(plain, row.old, row.wrong, 1)))
		if !errors.Is(err, wire.ErrUndecodable) || errors.Is(err, wire.ErrNewer) {
			t.Errorf("%s: got %v, want ErrUndecodable", row.name, err)
		} else if len(err.Error()) > 400 {
			t.Errorf("%s: got an error of %d bytes, want a short one", row.name, len(err.Error()))
		}
	}
}

// nested is a list in a list in a list.
// TestAccessIsGivenByNothingThatIsOdd has orders of other programs: a text that names no owner, or a
// token that can be guessed, is as good as none, and survives.
func TestAccessIsGivenByNothingThatIsOdd(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("a", order.LinkTokenLength)
	for text, want := range map[string]order.Order{
		`"owner":"customer:17"`:          {Owner: order.Actor{Kind: order.ActorCustomer, ID: "17"}},
		`"owner":"customer:a:b c"`:       {Owner: order.Actor{Kind: order.ActorCustomer, ID: "a:b c"}},
		`"link_token":"` + token + `"`:   {LinkToken: token},
		`"owner":""`:                     {},
		`"owner":null,"link_token":null`: {},
		`"owner":"customer:"`:            {},
		`"owner":"customer"`:             {},
		`"owner":":17"`:                  {},
		`"owner":"Customer:17"`:          {},
		`"owner":"robot:17"`:             {},
		`"owner":"customer:a\u0000"`:     {},
		`"owner":"customer:ë"`:           {},
		`"owner":"customer:` + token + token + token + token + token + token + token + token + `"`: {},
		`"link_token":""`:                        {},
		`"link_token":"a"`:                       {},
		`"link_token":"` + token + `a"`:          {},
		`"link_token":"` + token[1:] + ` "`:      {},
		`"link_token":"` + token[1:] + `\u0000"`: {},
	} {
		r := placed(strings.Replace(plain, `"schema":1,`, `"schema":1,`+text+`,`, 1))
		got, err := wire.ReadOrder(r)
		if err != nil || got.Owner != want.Owner || got.LinkToken != want.LinkToken {
			t.Errorf("%s: got owner %q, token %q, %v; want %q and %q", text, got.Owner, got.LinkToken, err, want.Owner, want.LinkToken)
		}
		if again := wire.Order(got); !bytes.Equal(again.Value, r.Value) {
			t.Errorf("%s: written again: got %s, want the same bytes", text, again.Value)
		}
	}
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestAnIDIsPlainEnoughForURLsAndHeaders(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"ord_0123456789abcdefghijklmnop": true, "A-1": true, strings.Repeat("x", 100): true,
		strings.Repeat("x", 101): false, "": false, " ": false, "a b": false, "../a": false, "a/b": false, "a.b": false, "a%2Fb": false,
		"a\nb": false, "ë": false, "a@b": false, "<a>": false, "a\u0000": false,
	} {
		text, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		r := placed(strings.Replace(plain, `"ord_1"`, string(text), 1))
		r.Key = []byte(id)
		if _, err := wire.ReadOrder(r); (err == nil) != want {
			t.Errorf("ID %q: got %v, want it taken: %t", id, err, want)
		}
	}
}

func TestNewerRecordsAreNeverUndecodable(t *testing.T) {
	t.Parallel()
	state := `{"schema":1,"order":` + plain + `,"timeline":[{}]}`
	for name, value := range map[string]string{
		"an order":                    strings.Replace(plain, `"schema":1`, `"schema":9`, 1),
		"an order of other types":     `{"schema":9,"id":7,"items":"none"}`,
		"an order of a far version":   `{"schema":9223372036854775807}`,
		"a state":                     strings.Replace(state, `"schema":1`, `"schema":9`, 1),
		"the order within a state":    strings.Replace(state, `"order":{"schema":1`, `"order":{"schema":9`, 1),
		"an order nested as no other": `{"schema":9,"x":` + nested(500) + `}`,
	} {
		read := func(r *kgo.Record) error { _, err := wire.ReadOrder(r); return err }
		if strings.Contains(name, "state") {
			read = func(r *kgo.Record) error { _, err := wire.ReadState(r); return err }
		}
		if err := read(placed(value)); !errors.Is(err, wire.ErrNewer) || errors.Is(err, wire.ErrUndecodable) {
			t.Errorf("%s: got %v, want ErrNewer", name, err)
		}
	}
}

// TestAnyOrderThatIsReadFitsIntoAState takes orders as large, as deep and as odd as they are accepted.
func TestAnyOrderThatIsReadFitsIntoAState(t *testing.T) {
	t.Parallel()
	room := topic.MaxOrder - len(plain) - 20
	for _, row := range []struct{ name, old, odd string }{
		{"the deepest order", `"schema":1,`, `"schema":1,"x":` + nested(99) + `,`},
		{"an order full of <", `"schema":1,`, `"schema":1,"x":"` + strings.Repeat("<", room) + `",`},
		{"an order full of line separators", `"schema":1,`, `"schema":1,"x":"` + strings.Repeat("\u2028", room/3) + `",`},
		{"an order full of unknown fields", `"schema":1,`, `"schema":1,"x":[` + strings.Repeat(`{"<":"&"},`, room/11) + `0],`},
		{"brackets in a text", `"name":"A"`, `"name":"\"\\` + strings.Repeat("[", 150) + `"`},
		{"the first year", "2026-03-02T09:30:00Z", "0000-01-01T00:00:00Z"},
		{"the last year", "2026-03-02T09:30:00Z", "9999-12-31T23:59:59.999999999Z"},
		{"no time at all", `"placed_at":"2026-03-02T09:30:00Z",`, ""},
		{"fields in another case", `"customer":{"name"`, `"CUSTOMER":{"Name"`},
		{"a field given twice", `"schema":1,`, `"schema":1,"note":"a","note":"b",`},
	} {
		value := strings.Replace(plain, row.old, row.odd, 1)
		o, err := wire.ReadOrder(placed(value))
		if err != nil {
			t.Errorf("%s: got %.200v, want an order", row.name, err)
			continue
		}
		r := wire.State(o.Begin(order.Origin{}), 0)
		if len(r.Value) > len(value)+1_000 {
			t.Errorf("%s: got a state of %d bytes from an order of %d", row.name, len(r.Value), len(value))
		}
		s, err := wire.ReadState(r)
		if err != nil {
			t.Errorf("%s: got %.200v, want the state read back", row.name, err)
			continue
		}
		if diff := cmp.Diff(o, s.Order, whole); diff != "" {
			t.Errorf("%s: order in its state (-want +got):\n%.500s", row.name, diff)
		}
	}
}

func TestWhatIsNoStateIsUndecodable(t *testing.T) {
	t.Parallel()
	const state = `{"schema":1,"order":ORDER,"origin":5,"timeline":[{"rev":0}],"progress":{"finished":[]}}`
	for _, row := range []struct{ name, old, wrong string }{
		{"a tombstone", state, ""},
		{"no order", `"order":ORDER,`, ""},
		{"an order of another kind", `ORDER`, `[]`},
		{"an order without schema", `ORDER`, `{}`},
		{"no timeline", `{"rev":0}`, ""},
		{"a timeline of another kind", `[{"rev":0}]`, "3"},
		{"an origin as text", `"origin":5`, `"origin":"5"`},
		{"progress of another kind", `{"finished":[]}`, `[]`},
		{"progress of odd money", `"finished":[]`, `"shipping":{"price":{"amount":"1e9","currency":"EUR"}}`},
		{"progress nested as no other", `"finished":[]`, `"gift":` + nested(100)},
	} {
		value := strings.Replace(strings.Replace(state, row.old, row.wrong, 1), "ORDER", plain, 1)
		if _, err := wire.ReadState(&kgo.Record{Value: []byte(value)}); !errors.Is(err, wire.ErrUndecodable) {
			t.Errorf("%s: got %v, want ErrUndecodable", row.name, err)
		}
	}
}

func TestOddHeadersOfAStateAreUndecodable(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, value string }{
		{"owner", ""},
		{"owner", "-1"},
		{"owner", "one"},
		{"owner", "9223372036854775808"},
		{"owner", strings.Repeat("1", 1<<20)},
		{"rev", "1.5"},
		{"rev", " 1"},
		{"origin", "0x10"},
		{"state", ""},
	} {
		r := wire.State(*finished(), 17)
		for i := range r.Headers {
			if r.Headers[i].Key == row.name {
				r.Headers[i].Value = []byte(row.value)
			}
		}
		if h, err := wire.ReadHead(r); !errors.Is(err, wire.ErrUndecodable) || len(err.Error()) > 200 {
			t.Errorf("header %s %.40q: got %+v, %.200v; want ErrUndecodable in short", row.name, row.value, h, err)
		}
	}
	if h, err := wire.ReadHead(new(kgo.Record)); !errors.Is(err, wire.ErrUndecodable) {
		t.Errorf("no headers: got %+v, %v; want ErrUndecodable", h, err)
	}
}

func TestTheLastHeaderOfANameCounts(t *testing.T) {
	t.Parallel()
	r := &kgo.Record{Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b"}, {Key: "a", Value: []byte("2")}, {Key: "A", Value: []byte("3")}}}
	for name, want := range map[string]string{"a": "2", "b": "", "c": ""} {
		if got := wire.Header(r, name); got != want {
			t.Errorf("header %s: got %q, want %q", name, got, want)
		}
	}
}

func FuzzReadOrder(f *testing.F) {
	f.Add([]byte(plain))
	f.Add([]byte(`{"schema":9}`))
	f.Add([]byte(strings.Replace(plain, `"schema":1`, `"ſchema":1,"SCHEMA":1,"items":null,"x":`+nested(98), 1)))
	f.Fuzz(func(t *testing.T, value []byte) {
		o, err := wire.ReadOrder(placed(string(value)))
		if err != nil {
			if !errors.Is(err, wire.ErrUndecodable) && !errors.Is(err, wire.ErrNewer) {
				t.Errorf("got %v, want one of the two errors", err)
			}
			return
		}
		again, err := wire.ReadOrder(wire.Order(o))
		if diff := cmp.Diff(o, again, whole); diff != "" || err != nil {
			t.Errorf("%v; order, written and read again (-want +got):\n%s", err, diff)
		}
		if _, err := wire.ReadState(wire.State(o.Begin(order.Origin{}), 0)); err != nil {
			t.Errorf("got %v, want the order's state read back", err)
		}
	})
}

func FuzzReadState(f *testing.F) {
	f.Add(wire.State(*finished(), 17).Value)
	f.Add([]byte(`{"ſchema":1,"order":` + plain + `,"timeline":[{}],"TIMELINE":[{},{}],"ſtatus":"x","status":"y","progress":{"Gift":1,"shipping":null}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		s, err := wire.ReadState(&kgo.Record{Value: value})
		if err != nil {
			return
		}
		r := wire.State(s, 17)
		again, err := wire.ReadState(r)
		if err != nil {
			t.Fatalf("got %v from %s, want the state read again", err, r.Value)
		}
		if third := wire.State(again, 17); !bytes.Equal(r.Value, third.Value) {
			t.Errorf("got %s, want what was read, %s", third.Value, r.Value)
		}
	})
}

func FuzzReadHead(f *testing.F) {
	f.Add("17", "2", "confirmed", "124")
	f.Fuzz(func(t *testing.T, owner, rev, state, origin string) {
		r := &kgo.Record{Headers: []kgo.RecordHeader{
			{Key: "owner", Value: []byte(owner)},
			{Key: "rev", Value: []byte(rev)},
			{Key: "state", Value: []byte(state)},
			{Key: "origin", Value: []byte(origin)},
		}}
		if h, err := wire.ReadHead(r); err == nil && (h.Status == "" || min(h.Owner, h.Rev, h.Origin) < 0) {
			t.Errorf("got %+v, want no empty status and no number below zero", h)
		}
	})
}

func FuzzReadProgress(f *testing.F) {
	f.Add(wire.Progress(finished().Progress))
	f.Add([]byte(`{"shipping":{"Zone":"a","zone":"b","x":{}},"SHIPPING":{"y":1},"gift":[],"email":null}`))
	f.Add([]byte(`{"shipping":{"x":{}},"SHIPPING":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := wire.ReadProgress(data)
		if err != nil {
			return
		}
		written := wire.Progress(p)
		again, err := wire.ReadProgress(written)
		if err != nil {
			t.Fatalf("got %v from %s, want the progress read again", err, written)
		}
		if third := wire.Progress(again); !bytes.Equal(written, third) {
			t.Errorf("got %s, want what was read, %s", third, written)
		}
	})
}
