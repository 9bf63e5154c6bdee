package invoice

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"example.com/orders/services/order-worker/internal/spoken"
	"example.com/orders/shared/order"
)

// Words are ours; how dates and numbers are written is Unicode's, as language/cldr.py has taken it.
var (
	//go:embed language/words.json
	wordsData []byte
	//go:embed language/cldr.json
	cldrData []byte
)

// tongue is a language that invoices are written in.
type tongue struct {
	words
	formats
}

// words are the texts of an invoice. {page} and so on are places.
type words struct {
	Invoice   string `json:"invoice"`
	Number    string `json:"number"`
	Date      string `json:"date"`
	Supply    string `json:"supply"`
	Order     string `json:"order"`
	OrderDate string `json:"order_date"`
	BuyerVAT  string `json:"buyer_vat"`
	SellerVAT string `json:"seller_vat"`
	Pos       string `json:"pos"`
	Item      string `json:"item"`
	Quantity  string `json:"quantity"`
	Price     string `json:"price"`
	VAT       string `json:"vat"`
	Net       string `json:"net"`
	Shipping  string `json:"shipping"`
	Standard  string `json:"standard"`
	Express   string `json:"express"`
	Fuel      string `json:"fuel"`
	Remote    string `json:"remote"`
	Oversize  string `json:"oversize"`
	Includes  string `json:"includes"`
	Forward   string `json:"forward"`
	Brought   string `json:"brought"`
	NetTotal  string `json:"net_total"`
	TaxOf     string `json:"tax_of"`
	Total     string `json:"total"`
	Due       string `json:"due"`
	AtOnce    string `json:"at_once"`
	Account   string `json:"account"`
	Reference string `json:"reference"`
	Export    string `json:"export"`
	Intra     string `json:"intra"`
	Page      string `json:"page"`
	Box       string `json:"box"`

	// Of credit notes.
	CreditNote   string `json:"credit_note"`
	CreditNumber string `json:"credit_number"`
	CreditDate   string `json:"credit_date"`
	Corrects     string `json:"corrects"`
	Reason       string `json:"reason"`
	CreditNet    string `json:"credit_net"`
	CreditTotal  string `json:"credit_total"`
	Settled      string `json:"settled"`
}

// formats are how dates and numbers are written.
type formats struct {
	Months      [12]string `json:"months"`
	Day         string     `json:"day"`
	Decimal     string     `json:"decimal"`
	Group       string     `json:"group"`
	GroupedFrom int        `json:"grouped_from"` // digits before the point that a number has at least, to be grouped
	Percent     string     `json:"percent"`
}

// loadTongues reads all languages. One that lacks a word is an error.
func loadTongues() (map[string]*tongue, error) {
	var said map[string]words
	var written map[string]formats
	for data, into := range map[*[]byte]any{&wordsData: &said, &cldrData: &written} {
		d := json.NewDecoder(bytes.NewReader(*data))
		d.DisallowUnknownFields()
		if err := d.Decode(into); err != nil {
			return nil, err
		}
	}
	tongues := make(map[string]*tongue)
	for name, w := range said {
		f, known := written[name]
		for _, part := range []any{w, f} {
			for _, v := range reflect.ValueOf(part).Fields() {
				known = known && !v.IsZero()
			}
		}
		if !known {
			return nil, fmt.Errorf("%s: words or formats are missing", name)
		}
		tongues[name] = &tongue{w, f}
	}
	if tongues[spoken.English] == nil {
		return nil, errors.New("no English")
	}
	return tongues, nil
}

// languageOf is the language that most people of a country write, if there are words in it.
func (s *Step) languageOf(country string) string {
	name := spoken.In(country)
	if s.tongues[name] == nil {
		return spoken.English
	}
	return name
}

// speak is the language that a document was settled in, with the words for its kind. Old versions settled none, and wrote English.
func (s *Step) speak(w *order.State) *tongue {
	t := s.tongues[w.Progress.Invoice.Language]
	if t == nil {
		t = s.tongues[spoken.English]
	}
	if w.Order.Refund != nil {
		return t.credit()
	}
	return t
}

// day is a date with the month in words, because 02.03. and 03/02 are different days in different countries.
func (t *tongue) day(at time.Time) string {
	at = at.UTC()
	return fill(t.Day, "day", strconv.Itoa(at.Day()), "month", t.Months[at.Month()-1], "year", strconv.Itoa(at.Year()))
}

// money is an amount without its currency.
func (t *tongue) money(m order.Money) string {
	whole, cents, _ := strings.Cut(m.String(), ".")
	sign := ""
	if rest, negative := strings.CutPrefix(whole, "-"); negative {
		sign, whole = "−", rest
	}
	return sign + t.group(whole) + t.Decimal + cents
}

// group puts a mark between each three digits.
func (t *tongue) group(digits string) string {
	if len(digits) < t.GroupedFrom {
		return digits
	}
	out := digits[:(len(digits)-1)%3+1]
	for i := len(out); i < len(digits); i += 3 {
		out += t.Group + digits[i:i+3]
	}
	return out
}

// rate is a rate of VAT, in hundredths of a percent.
func (t *tongue) rate(rate int) string {
	return fill(t.Percent, "n", strings.Replace(percent(rate), ".", t.Decimal, 1))
}

// exemption says why no VAT is charged, and by its code in the list VATEX; nothing where VAT is charged.
func (t *tongue) exemption(category string) (reason, code string) {
	switch category {
	case order.VATExport:
		return t.Export, "VATEX-EU-G"
	case order.VATIntraCommunity:
		return t.Intra, "VATEX-EU-IC"
	default:
		return "", ""
	}
}

// terms say when to pay.
func (t *tongue) terms(s Seller, i order.Invoice) string {
	if s.PaymentDays == 0 {
		return t.AtOnce
	}
	return fill(t.Due, "date", t.day(s.due(i)))
}

// fill puts values into the places of a text: each name before its value. A value is not searched for places.
func fill(text string, values ...string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		name, after, closed := strings.Cut(rest, "}")
		out.WriteString(before)
		if !found || !closed {
			return out.String()
		}
		for i := 0; i < len(values); i += 2 {
			if values[i] == name {
				out.WriteString(values[i+1])
			}
		}
		text = after
	}
}
