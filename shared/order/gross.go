package order

import (
	"math/big"
	"slices"
	"strings"
)

// Prices is the word for prices: net or gross. Files and records have it, and no word is net.
func Prices(gross bool) string {
	if gross {
		return "gross"
	}
	return "net"
}

// ParsePrices reads a word of Prices. It reports false for any other word.
func ParsePrices(word string) (gross, ok bool) {
	gross = word == Prices(true)
	return gross, gross || word == "" || word == Prices(false)
}

// Statement is the amounts of an order's document.
type Statement struct {
	// Gross says that the document states prices with VAT. It does so for a Gross order, if VAT is charged.
	Gross    bool
	Lines    []Amount // of the lines of the order
	Shipping Amount   // zero if the document has no shipping

	gross    bool  // the order is
	all, net Money // prices of the order, and the net part of them
}

// Amount is an amount of a document.
type Amount struct {
	Stated Money // net, or with VAT if the statement is Gross
	Net    Money
}

// Statement returns the amounts of the order's document. Before it is planned they are as placed, and the
// net amounts are those of net prices.
//
// Gross prices are stated as they are if VAT is charged, and net otherwise. The net amounts of rows add up
// to the net amount of the document, because each is the net amount of all rows up to it, less that of the
// rows before it. So it can differ by a cent from the net amount of the row alone.
func (w *Work) Statement() Statement {
	s, shipping := w.statement()
	upTo, before := Money{}, Money{}
	row := func(price Money) Amount {
		upTo = upTo.Plus(price)
		sum := s.share(upTo)
		net := sum.Plus(before.Times(-1))
		before = sum
		if s.Gross {
			return Amount{price, net}
		}
		return Amount{net, net}
	}
	for _, l := range w.Order.Lines {
		s.Lines = append(s.Lines, row(l.Price()))
	}
	if shipping != nil {
		s.Shipping = row(shipping.Price)
	}
	return s
}

// statement is a statement without its rows.
func (w *Work) statement() (s Statement, shipping *Shipping) {
	s, taxes := Statement{gross: w.Order.Gross, all: w.Order.ItemsTotal()}, []Tax(nil)
	if shipping, _ = w.Shipping(); shipping != nil {
		s.all = s.all.Plus(shipping.Price)
	}
	switch {
	case w.Order.Refund != nil:
		taxes, s.net = w.Order.Refund.Invoice.Taxes, w.Order.Refunded()
	case w.Progress.Invoice != nil:
		taxes, s.net = w.Progress.Invoice.Taxes, w.Progress.Invoice.Net
	default:
		s.Gross, s.net = s.gross, s.all
		return s, shipping
	}
	s.Gross = s.gross && slices.ContainsFunc(taxes, func(t Tax) bool { return t.Rate > 0 })
	return s, shipping
}

// State returns a part of the price of a row as the document states it, such as a surcharge.
func (s Statement) State(part Money) Money {
	if s.Gross {
		return part
	}
	return s.share(part)
}

// share is the net part of prices.
func (s Statement) share(prices Money) Money {
	if !s.gross || s.all.Minor == 0 {
		return prices
	}
	return prices.fraction(s.net.magnitude(), s.all.magnitude())
}

// Items is the sum of the lines, as stated.
func (s Statement) Items() Amount {
	sum := Amount{EUR.Cents(0), EUR.Cents(0)}
	for _, l := range s.Lines {
		sum.Stated, sum.Net = sum.Stated.Plus(l.Stated), sum.Net.Plus(l.Net)
	}
	return sum
}

// Each is the amount of one of a number of pieces, rounded half away from zero: a decimal with at least two
// decimals and at most as many as are asked for. Both must be above 0.
func (m Money) Each(pieces, decimals int) string {
	scaled := new(big.Rat).SetFrac64(m.Minor, int64(pieces)*100)
	text := scaled.FloatString(decimals)
	for len(text)-strings.Index(text, ".") > 3 && strings.HasSuffix(text, "0") {
		text = text[:len(text)-1]
	}
	return text
}
