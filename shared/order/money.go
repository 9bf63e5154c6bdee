package order

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Currency is an ISO 4217 code. Every currency used here has two decimals.
type Currency string

// EUR is the currency of the catalogue and of every rate card.
const EUR Currency = "EUR"

// Money is an amount in minor units (cents) of a currency. The zero value has no currency and can be
// added to any amount.
type Money struct {
	Minor    int64
	Currency Currency
}

// ErrMoney is returned by Parse for a text that is not an amount.
var ErrMoney = errors.New("not an amount like 59.80")

// maxMinor bounds parsed amounts. It is larger than the total of the largest valid order, so that
// every total that was written can be read.
const maxMinor = 1_000_000_000_000_000

// Cents returns an amount in minor units of the currency.
func (c Currency) Cents(minor int64) Money { return Money{minor, c} }

// Parse parses a number with at most two decimals, such as "59.80" or "-3". It returns ErrMoney for
// anything else and for amounts that no order can have.
func (c Currency) Parse(text string) (Money, error) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || len(whole) > 14 || len(fraction) > 2 || point && fraction == "" {
		return Money{}, fmt.Errorf("%w: %.32q", ErrMoney, text)
	}
	minor, err := strconv.ParseUint(whole+(fraction + "00")[:2], 10, 63)
	if err != nil || minor > maxMinor {
		return Money{}, fmt.Errorf("%w: %.32q", ErrMoney, text)
	}
	if negative {
		return Money{-int64(minor), c}, nil
	}
	return Money{int64(minor), c}, nil
}

// Plus adds two amounts. It panics if their currencies differ. Like Times it does not check for
// overflow, which valid orders cannot cause.
func (m Money) Plus(n Money) Money {
	if m.Currency != "" && n.Currency != "" && m.Currency != n.Currency {
		panic("order: adding " + string(m.Currency) + " and " + string(n.Currency))
	}
	return Money{m.Minor + n.Minor, max(m.Currency, n.Currency)}
}

// Times multiplies an amount by a quantity.
func (m Money) Times(quantity int) Money { return Money{m.Minor * int64(quantity), m.Currency} }

// Percent is a share of the amount in hundredths of a percent (1900 is 19 %), rounded half away from
// zero to a cent. The share must not be negative.
func (m Money) Percent(hundredths int) Money { return m.fraction(uint64(hundredths), whole) }

// Included is the VAT in an amount that includes it at a rate in hundredths of a percent, rounded half
// away from zero to a cent. The rate must not be negative.
func (m Money) Included(rate int) Money { return m.fraction(uint64(rate), whole+uint64(rate)) }

// whole is 100 % in hundredths of a percent.
const whole = 10_000

// fraction multiplies an amount by a fraction, and rounds half away from zero to a cent.
func (m Money) fraction(of, by uint64) Money {
	hi, lo := bits.Mul64(m.magnitude(), of)
	lo, carry := bits.Add64(lo, by/2, 0)
	share, _ := bits.Div64(hi+carry, lo, by)
	if m.Minor < 0 {
		return Money{-int64(share), m.Currency}
	}
	return Money{int64(share), m.Currency}
}

// String is the amount as a decimal without the currency, as in JSON: "59.80".
func (m Money) String() string {
	out := make([]byte, 0, 24)
	if m.Minor < 0 {
		out = append(out, '-')
	}
	cents := m.magnitude() % 100
	out = strconv.AppendUint(out, m.magnitude()/100, 10)
	return string(append(out, '.', byte('0'+cents/10), byte('0'+cents%10)))
}

// magnitude is the amount without its sign. It is right for the smallest int64, too, although its
// negation overflows.
func (m Money) magnitude() uint64 {
	if m.Minor < 0 {
		return uint64(-m.Minor)
	}
	return uint64(m.Minor)
}
