package invoice

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/order"
)

//go:embed language/words.json
var wordsData []byte

type translation struct {
	words
	locale.Language
}

// words are the labels and sentences of an invoice. {page} and so on are placeholders.
type words struct {
	Invoice   string `json:"invoice"`
	Number    string `json:"number"`
	Date      string `json:"date"`
	Supply    string `json:"supply"`
	Unplanned string `json:"on_dispatch"`
	Order     string `json:"order"`
	OrderDate string `json:"order_date"`
	BuyerRef  string `json:"buyer_reference"`
	Purchase  string `json:"purchase_order"`
	DeliverTo string `json:"deliver_to"`
	BuyerVAT  string `json:"buyer_vat"`
	SellerVAT string `json:"seller_vat"`
	TaxNumber string `json:"tax_number"`
	Managers  string `json:"managers"`
	Pos       string `json:"pos"`
	Item      string `json:"item"`
	Quantity  string `json:"quantity"`
	Piece     string `json:"piece"`
	Price     string `json:"price"`
	UnitGross string `json:"gross_price"`
	VAT       string `json:"vat"`
	Net       string `json:"net"`
	Gross     string `json:"gross"`
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
	TaxIn     string `json:"tax_in"`
	NoTax     string `json:"no_tax"`
	NoTaxOut  string `json:"no_tax_export"`
	NoTaxIn   string `json:"no_tax_intra"`
	Total     string `json:"total"`
	Due       string `json:"due"`
	AtOnce    string `json:"at_once"`
	Account   string `json:"account"`
	Reference string `json:"reference"`
	CodeAlt   string `json:"code"`
	Export    string `json:"export"`
	Intra     string `json:"intra"`
	Page      string `json:"page"`
	Box       string `json:"box"`

	// For credit notes.
	CreditNote   string `json:"credit_note"`
	CreditNumber string `json:"credit_number"`
	CreditDate   string `json:"credit_date"`
	Corrects     string `json:"corrects"`
	Reason       string `json:"reason"`
	CreditNet    string `json:"credit_net"`
	CreditTotal  string `json:"credit_total"`

	// For what was paid, and what is paid back. The methods of payment follow a verb.
	Paid         string `json:"paid"`
	PaidBack     string `json:"paid_back"`
	AmountDue    string `json:"amount_due"`
	OverpaidBy   string `json:"overpaid_by"`
	NothingDue   string `json:"nothing_due"`
	Overpaid     string `json:"overpaid"`
	Ask          string `json:"ask"`
	PayBack      string `json:"pay_back"`
	Returned     string `json:"returned"`
	ClaimReduced string `json:"claim_reduced"`
	Card         string `json:"card"`
	PayPal       string `json:"paypal"`
	Transfer     string `json:"transfer"`
	DirectDebit  string `json:"direct_debit"`
	Cash         string `json:"cash"`
	OtherMethod  string `json:"other_method"`
	AsPaid       string `json:"as_paid"`
}

// loadTranslations reads the words of all languages. A missing word is an error.
func loadTranslations() (map[locale.Language]*translation, error) {
	var all map[string]words
	d := json.NewDecoder(bytes.NewReader(wordsData))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		return nil, err
	}
	translations := make(map[locale.Language]*translation)
	for _, l := range locale.All() {
		w := all[l.String()]
		for _, v := range reflect.ValueOf(w).Fields() {
			if v.IsZero() {
				return nil, fmt.Errorf("%s: words are missing", l)
			}
		}
		translations[l] = &translation{w, l}
	}
	return translations, nil
}

// translation returns the translation for a document: its planned language and its kind.
func (s *Step) translation(w *order.Work) *translation {
	t := s.translations[locale.Of(w.Progress.Invoice.Language)]
	if w.Order.Refund != nil {
		return t.forCreditNotes()
	}
	return t
}

// exemption returns why no VAT is charged, as a sentence and as a code of the VATEX list. Both are
// empty if VAT is charged.
func (t *translation) exemption(category string) (reason, code string) {
	switch category {
	case order.VATExport:
		return t.Export, "VATEX-EU-G"
	case order.VATIntraCommunity:
		return t.Intra, "VATEX-EU-IC"
	default:
		return "", ""
	}
}

// taxLabel returns what stands before the amount of a VAT. No VAT is said in words, not as 0 %.
// With gross prices the VAT is in the amounts above it.
func (t *translation) taxLabel(tax order.Tax, gross bool) string {
	switch {
	case tax.Category == order.VATExport:
		return t.NoTaxOut
	case tax.Category == order.VATIntraCommunity:
		return t.NoTaxIn
	case tax.Rate == 0:
		return t.NoTax
	case gross:
		return fill(t.TaxIn, "rate", t.Percent(tax.Rate), "net", t.Money(tax.Net))
	default:
		return fill(t.TaxOf, "rate", t.Percent(tax.Rate), "net", t.Money(tax.Net))
	}
}

func (t *translation) service(name string) string {
	switch name {
	case order.Standard:
		return t.Standard
	case order.Express:
		return t.Express
	default:
		return name
	}
}

// fill replaces the placeholders of a text. values holds names and values in turn. Placeholders in
// a value are not replaced.
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
