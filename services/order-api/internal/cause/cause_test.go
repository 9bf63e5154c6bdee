package cause_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"example.com/orders/services/order-api/internal/cause"
	"example.com/orders/shared/cputime"
)

// person is an order of somebody who was made up, and how its values are written in messages.
type person struct {
	id, name, email, line1, city, postal, sku string
	amount, date                              string
}

// people are of six scripts and more.
func people() []person {
	return []person{
		{"ord_aaaaaaaaaaaaaaaaaaaaaaaaaa", "Zoë Łukasiewicz", "zoe.lukasiewicz@example.com", "ul. Świętej Anny 12/3", "Kraków", "31-008", "MUG", "1 234,56 zł", "02.03.2026 09:30"},
		{"ord_0123456789abcdefghijklmnop", "O'Brien Smith", "ob@shop.test", "1 Main Street", "New York", "10001", "TEA-250", "$1,234.50", "2026-03-02T09:30:00Z"},
		{"ord_zzzz2222zzzz2222zzzz2222zz", "Иван Петров", "ivan@пример.test", "ул. Ленина, д. 5", "Санкт-Петербург", "190000", "ЧАЙ-7", "5 000,00 руб.", "02.03.26"},
		{"ord_bcdbcdbcdbcdbcdbcdbcdbcdbc", "Αλέξανδρος Παπαδόπουλος", "alex_p@example.gr", "Λεωφόρος Κηφισίας 44", "Αθήνα", "115 26", "ΚΟΥΠΑ", "12,50 €", "2/3/2026"},
		{"ord_q7q7q7q7q7q7q7q7q7q7q7q7q7", "فاطمة الزهراء", "fatima+shop@example.com", "شارع التحرير ١٢", "القاهرة", "١١٥١١", "شاي", "١٬٢٣٤٫٥٠ جنيه", "٢٠٢٦-٠٣-٠٢"},
		{"ord_h5h5h5h5h5h5h5h5h5h5h5h5h5", "山田 太郎", "taro.yamada@example.jp", "千代田区丸の内1-2-3", "東京都", "100-0005", "マグ", "1,234円", "2026/03/02"},
		{"ord_k1k1k1k1k1k1k1k1k1k1k1k1k1", "김철수", "kim@example.kr", "세종대로 110", "서울특별시", "04524", "머그", "₩12,000", "2026-03-02"},
		{"ord_d9d9d9d9d9d9d9d9d9d9d9d9d9", "प्रिया शर्मा", "priya@example.in", "महात्मा गांधी मार्ग १२", "मुंबई", "४००००१", "चाय", "₹१,२३४.५०", "०२-०३-२०२६"},
		{"ord_t3t3t3t3t3t3t3t3t3t3t3t3t3", "สมชาย ใจดี", "somchai@example.th", "ถนนสุขุมวิท 21", "กรุงเทพ", "๑๐๑๑๐", "ชา", "฿๑,๒๓๔", "๐๒/๐๓/๒๕๖๙"},
		{"ord_v4v4v4v4v4v4v4v4v4v4v4v4v4", "Nguyễn Thị Ánh", "anh.nguyen@example.vn", "12 Đường Lê Lợi", "Hà Nội", "100000", "CÀ-PHÊ", "250.000 ₫", "02-03-2026"},
		{"ord_w6w6w6w6w6w6w6w6w6w6w6w6w6", "欧阳 明月", "li@example.cn", "建国路88号", "北京市", "100022", "茶杯", "¥88.00", "2026-03-02"},
		{"ord_x8x8x8x8x8x8x8x8x8x8x8x8x8", "Bo Li", "bo@example.se", "Storgatan 1", "Ås", "1430", "XL", "1 000 kr", "2026-03-02"},
	}
}

func (p person) known() cause.Known {
	value, err := json.Marshal(map[string]any{
		"schema": 1, "id": p.id, "customer": map[string]string{"name": p.name, "email": p.email},
		"ship_to": map[string]string{"line1": p.line1, "city": p.city, "postal_code": p.postal, "country": "PL"},
		"service": "express", "items": []map[string]any{{"sku": p.sku, "quantity": 2}},
	})
	if err != nil {
		panic(err)
	}
	return cause.Of([]byte(p.id), value)
}

// in writes the values of a person into a message.
func (p person) in(message string) string {
	local, domain, _ := strings.Cut(p.email, "@")
	return strings.NewReplacer(
		"{id}", p.id, "{name}", p.name, "{NAME}", strings.ToUpper(p.name), "{email}", p.email, "{local}", local, "{domain}", domain,
		"{line1}", p.line1, "{city}", p.city, "{postal}", p.postal, "{sku}", p.sku, "{amount}", p.amount, "{date}", p.date,
		"{NFD}", norm.NFD.String(p.name), "{split}", strings.Join(strings.Fields(p.name), "\r\n  "),
		"{reversed}", regexp.MustCompile(`^(.*) (.*)$`).ReplaceAllString(p.name, "$2, $1"),
	).Replace(message)
}

// causes are different ones. Many differ in one code or one word.
func causes() []string {
	return []string{
		`order {id}: step email: 550 5.1.1 <{email}>: Recipient address rejected: User unknown`,
		`order {id}: step email: 550 5.2.1 <{email}>: Recipient address rejected: User unknown`,
		`order {id}: step email: 551 5.1.1 <{email}>: Recipient address rejected: User unknown`,
		`order {id}: step email: 550 5.1.1 …@…: Recipient address rejected: Mailbox full`,
		`order {id}: step email: 550 mailbox of {name} is full`,
		`order {id}: step email: 552 mailbox of {name} is full`,
		`order {id}: step email: 552 mailbox of {NAME} is closed`,
		`step email: 450-4.2.0 mailbox '{local}' is busy`,
		`step email: 450-4.2.1 mailbox '{local}' is busy`,
		`step email: 550 "{name}" <{local}>: no such user here`,
		`step email: 554 "{name}" <{local}>: no such user here`,
		`550 ящик {local} не найден`,
		`552 ящик {local} не найден`,
		`554 メール {name} は拒否されました`,
		`550 メール {name} は拒否されました`,
		`step shipping: Get "https://rates.example.test/v1/{postal}?city={city}": status 502`,
		`step shipping: Get "https://rates.example.test/v1/{postal}?city={city}": status 503`,
		`step shipping: Get "https://fares.example.test/v1/{postal}?city={city}": status 503`,
		`carrier answered 503 Service Unavailable for {sku} to {city}`,
		`carrier answered 504 Gateway Timeout for {sku} to {city}`,
		`carrier answered HTTP/1.1 500 for {sku} to {city}`,
		`the rate card has no zone for country "PL"`,
		`zone home, express: Parcel Post: {amount} exceeds the limit of {amount}`,
		`zone home, express: Parcel Post: {amount} exceeds the parcel limit of {amount}`,
		`no route to {line1}, {postal} {city}`,
		`no depot in {city}`,
		`no parcel shop in {city}`,
		`rendering invoice INV-7KQ2MX-03-0000124 of {name} for {amount} on {date}: no glyph`,
		`rendering invoice INV-7KQ2MX-03-0000124 of {name} for {amount} on {date}: too long`,
		`template: mail.txt:3:5: executing "mail.txt" at <.Customer.Phone>: no such field`,
		`template: mail.txt:3:7: executing "mail.txt" at <.Customer.Fax>: no such field`,
		`map has no entry for key "phone"`,
		`map has no entry for key "zip"`,
		`ORA-00942: no row for {id}`,
		`ORA-00943: no row for {id}`,
		`database error 23505 for customer {reversed}`,
		`database error 23503 for customer {reversed}`,
		`payment code E1001 for {id}`,
		`payment code E1002 for {id}`,
		`exit status 1 at {date}`,
		`exit status 2 at {date}`,
		`customer {NFD} has no VAT ID`,
		`customer {split} is blocked`,
		"customer \u2068{name}\u2069 is closed\u200f",
		`customer {name} is shut: invalid character 'x' looking for beginning of value`,
		`dial tcp 192.0.2.{postal}:25: connect: connection refused`,
		`dial tcp [2001:db8::12]:25: i/o timeout`,
		`Ошибка 17: заказ {id} клиента {name} на сумму {amount}`,
		`Ошибка 18: заказ {id} клиента {name} на сумму {amount}`,
		`Σφάλμα 17: ο πελάτης {name} στην πόλη {city}`,
		`Σφάλμα 18: ο πελάτης {name} στην πόλη {city}`,
		`خطأ 17: العميل {name} في {city} بمبلغ {amount}`,
		`خطأ 18: العميل {name} في {city} بمبلغ {amount}`,
		`错误码17：客户{name}在{city}的订单{id}失败`,
		`错误码18：客户{name}在{city}的订单{id}失败`,
		`エラー17：「{name}」様の注文`,
		`エラー18：「{name}」様の注文`,
		`오류 17: 고객 {name}, 도시 {city}, 금액 {amount}`,
		`오류 18: 고객 {name}, 도시 {city}, 금액 {amount}`,
		`त्रुटि 17: ग्राहक {name}, शहर {city}, राशि {amount}`,
		`त्रुटि 18: ग्राहक {name}, शहर {city}, राशि {amount}`,
		`รหัส 17 ลูกค้า {name} เมือง {city} ยอด {amount}`,
		`รหัส 18 ลูกค้า {name} เมือง {city} ยอด {amount}`,
		`Fehler 17: Kunde »{name}« in {city}`,
		`Erreur 17 : client « {name} » à {city}`,
	}
}

// TestAllOfACauseAreInOneGroup has each cause with the values of orders in many scripts.
func TestAllOfACauseAreInOneGroup(t *testing.T) {
	t.Parallel()
	of := map[string]string{} // causes by text
	for _, c := range causes() {
		texts := map[string]person{}
		for _, p := range people() {
			message := p.in(c)
			text := cause.Normalise(message, p.known())
			texts[text] = p
			if again := cause.Normalise(text, cause.Known{}); again != text {
				t.Errorf("%q: normalised again: got %q, want %q", message, again, text)
			}
		}
		if len(texts) != 1 {
			t.Errorf("%s:\ngot %d groups, want 1:", c, len(texts))
			for text, p := range texts {
				t.Errorf("\t%q\n\t  of %q", text, p.in(c))
			}
			continue
		}
		for text := range texts {
			if other := of[text]; other != "" {
				t.Errorf("got one group %q for\n\t%s\n\t%s", text, c, other)
			}
			of[text] = c
		}
	}
}

// TestWhatVariesWithoutBeingKnown has messages about records that are no orders.
func TestWhatVariesWithoutBeingKnown(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ want, messages string }{
		{`record of … bytes at offset …`, "record of 17 bytes at offset 1234|record of 1.048.576 bytes at offset ١٢٣|record of 1e6 bytes at offset 5"},
		{`user "…" unknown`, `user "Ann" unknown|user "Иван Петров" unknown|user "a \"b\" c" unknown`},
		{`due …`, "due 2026-03-02|due 2026-03-02T09:30:00.123Z|due 09:30|due 2026-03-02 09:30:00 +0100"},
		{`id …`, "id 6f9619ff-8b86-d011-b42d-00c04fc964ff|id deadbeef-dead-beef-dead-beefdeadbeef|id ord_abcdefghijklmnopqrstuvwxyz|id INV-7KQ2MX-03-0000124|id 0x7ffe12"},
		{`from …: lost`, "from 192.0.2.1: lost|from 192.0.2.1:25: lost|from [2001:db8::1]:25: lost|from zoë@bücher.example: lost"},
		{`costs …`, "costs 12.50 EUR|costs €12|costs 1 234,56 zł|costs ¥1,200|costs 12,50 €|costs EUR 7|costs ١٢٫٥٠ ريال|costs 1'000.00 CHF"},
		{`SKUs …`, "SKUs A-1|SKUs A-1, B-2|SKUs A-1, B-2, and9"},
		{`订单…失败`, "订单123失败|订单４５６失败"},
	} {
		for message := range strings.SplitSeq(row.messages, "|") {
			if got := cause.Normalise(message, cause.Known{}); got != row.want {
				t.Errorf("%q: got %q, want %q", message, got, row.want)
			}
		}
	}
}

// TestANameIsNotTakenForAWordOfTheMessage has customers whose names are words of messages.
func TestANameIsNotTakenForAWordOfTheMessage(t *testing.T) {
	t.Parallel()
	const message = "550 5.1.1 no such user: mailbox unknown, the order has no price"
	for _, p := range []person{
		{name: "No One", city: "Price", email: "user@example.com", line1: "The Order of the Mailbox 5"},
		{name: "User", city: "Mailbox", email: "no@such.test", line1: "Price"},
		{name: "An", city: "No", email: "a@b.test", line1: "The"},
		{name: "x", city: "-", email: "", line1: "  "},
	} {
		if got := cause.Normalise(message, p.known()); got != message {
			t.Errorf("%+v: got %q, want it unchanged", p, got)
		}
	}
}

// TestAmountsAreNoCodes has numbers that look like codes of replies.
func TestAmountsAreNoCodes(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"shipping: 450 g exceeds the limit":        "shipping: … g exceeds the limit",
		"postal code 10115 is not served":          "postal code … is not served",
		"ZIP code: 94103 is not served":            "ZIP code: … is not served",
		"550 items":                                "… items",
		"order 550":                                "order …",
		"invoice 503 of 504":                       "invoice … of …",
		"wrote 550 5.1.1.7 bytes":                  "wrote … bytes",
		"promo code E100 is used up":               "promo code … is used up",
		"HTTP 503":                                 "HTTP 503",
		"status=503":                               "status=503",
		"x509: certificate expired on 2026-03-02":  "x509: certificate expired on …",
		"550-5.7.26 not authenticated":             "550-5.7.26 not authenticated",
		"panic at Foo.java:123":                    "panic at Foo.java:123",
		"SQLSTATE[23000]: duplicate 'A1'":          `SQLSTATE[23000]: duplicate "…"`,
		"0x80070005":                               "…",
		"error 0x80070005":                         "error 0x80070005",
		"can't open d'Artagnan's box, isn't there": "can't open d'Artagnan's box, isn't there",
	} {
		if got := cause.Normalise(message, cause.Known{}); got != want {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
	}
}

// TestACutMessageIsInTheGroupOfItsCause has messages that are as long as a header may be.
func TestACutMessageIsInTheGroupOfItsCause(t *testing.T) {
	t.Parallel()
	texts := map[string]bool{}
	for _, p := range people() {
		message := p.in("step email: writing the mail of {name} ({email}) in {city}: ") + strings.Repeat("the template does not end; ", 30)
		texts[cause.Normalise(message[:490]+"…", p.known())] = true
	}
	if len(texts) != 1 {
		t.Errorf("got %v, want one text", texts)
	}
}

// TestLongMessagesCostLittle has what would take minutes if the time grew with the square of the length.
func TestLongMessagesCostLittle(t *testing.T) {
	t.Parallel()
	known := person{name: "aa a", city: "ab", email: "a@a.a", line1: "1 a"}.known()
	for _, part := range []string{"a", "1", "a1", `"`, "'", "<", "1.", "a.", "a-", "a:", "x@", "ab ", "名1", "://a?", "error 1 ", "1:1:", "ﷺ"} {
		var text string
		took := cputime.Of(func() { text = cause.Normalise(strings.Repeat(part, 1_000_000), known) })
		if took > 10*time.Second || len(text) > 8_000 {
			t.Errorf("%q: got %d bytes after %s", part, len(text), took)
		}
	}
}

func TestAGroupIDIsStable(t *testing.T) {
	t.Parallel()
	ids := map[string]string{}
	for _, parts := range [][4]string{{"", "a", "b", "c"}, {"", "ab", "", "c"}, {"a", "", "b", "c"}, {"", "a", "bc", ""}, {}} {
		id := cause.ID(parts[0], parts[1], parts[2], parts[3])
		if !regexp.MustCompile(`^cause_[a-z2-7]{16}$`).MatchString(id) || ids[id] != "" {
			t.Errorf("%q: got %q, which is no ID or that of %s", parts, id, ids[id])
		}
		ids[id] = fmt.Sprint(parts)
	}
	if got := cause.ID("", "email", "recipient-refused", "550"); got != "cause_3nk7zzsg75iha6lf" {
		t.Errorf("got %q: the groups of stored notes have another ID now", got)
	}
}

func BenchmarkNormalise(b *testing.B) {
	p := people()[2]
	known, message := p.known(), p.in(causes()[0])
	for b.Loop() {
		cause.Normalise(message, known)
	}
}

func BenchmarkOf(b *testing.B) {
	for b.Loop() {
		people()[2].known()
	}
}

func FuzzNormalise(f *testing.F) {
	for _, p := range people() {
		for _, c := range causes()[:8] {
			f.Add(p.in(c), p.name, p.city)
		}
	}
	f.Add("\xff\x00\x01\x02…", "\x01", "ﬀ")
	f.Add(strings.Repeat("ﷺ", 100), "ﷺ", "ß")
	f.Fuzz(func(t *testing.T, message, name, city string) {
		value, err := json.Marshal(map[string]string{"name": name, "city": city})
		if err != nil {
			t.Fatal(err)
		}
		known := cause.Of([]byte(name), value)
		got := cause.Normalise(message, known)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\x01\x02\n") {
			t.Errorf("got %q, want printable text", got)
		}
		if again := cause.Normalise(message, known); again != got {
			t.Errorf("got %q and then %q", got, again)
		}
	})
}
