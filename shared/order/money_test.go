package order_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"example.com/orders/shared/order"
)

func TestMoneyIsReadFromPlainDecimalsOnly(t *testing.T) {
	t.Parallel()
	const refused = math.MinInt64
	for _, row := range []struct {
		text string
		want int64 // cents
	}{
		{"59.80", 5980},
		{"59.8", 5980},
		{"59", 5900},
		{"0", 0},
		{"-0.00", 0},
		{"-3", -300},
		{"-0.05", -5},
		{"007.10", 710},
		{"10000000000000.00", 1e15},
		{"-10000000000000", -1e15},
		{"10000000000000.01", refused},
		{"99999999999999999999", refused},
		{"000000000000000000001", refused},
		{"", refused},
		{"-", refused},
		{"--3", refused},
		{"+3", refused},
		{".5", refused},
		{"5.", refused},
		{"5.123", refused},
		{"5.-1", refused},
		{"5.+1", refused},
		{"5 ", refused},
		{" 5", refused},
		{"5,00", refused},
		{"1_000", refused},
		{"1.2.3", refused},
		{"1e3", refused},
		{"0x10", refused},
		{"1e400", refused},
		{"NaN", refused},
		{"٣.٠٠", refused},
		{"5\x00", refused},
	} {
		got, err := order.EUR.Parse(row.text)
		switch {
		case row.want == refused && !errors.Is(err, order.ErrMoney):
			t.Errorf("EUR.Parse(%q): got %v, %v; want ErrMoney", row.text, got, err)
		case row.want != refused && (err != nil || got != order.EUR.Cents(row.want)):
			t.Errorf("EUR.Parse(%q): got %v, %v; want %d cents", row.text, got, err, row.want)
		}
	}
}

func TestMoneyReadsWhatItWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := order.EUR.Cents(rapid.Int64Range(-1e15, 1e15).Draw(t, "cents"))
		if got, err := order.EUR.Parse(want.String()); err != nil || got != want {
			t.Errorf("got %v, %v from %q; want %d cents", got, err, want, want.Minor)
		}
	})
}

func TestMoneyTextIsRightForEveryAmount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cents := rapid.OneOf(rapid.Int64(), rapid.Just(int64(math.MinInt64)), rapid.Int64Range(-200, 200)).Draw(t, "cents")
		want := new(big.Rat).SetFrac64(cents, 100).FloatString(2)
		if got := order.EUR.Cents(cents).String(); got != want {
			t.Errorf("got %q for %d cents, want %q", got, cents, want)
		}
	})
}

func TestPercentRoundsHalfAwayFromZero(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		cents      int64
		hundredths int
		want       int64
	}{
		{5025, 1900, 955},  // 9.5475
		{50, 100, 1},       // 0.50 of a cent
		{49, 100, 0},       // 0.49
		{-50, 100, -1},     // away from zero, not up
		{-49, 100, 0},      //
		{10_000, 0, 0},     //
		{123, 10_000, 123}, // all of it
		{150, 100, 2},      // 1.5: to even would be 2 as well
		{250, 100, 3},      // 2.5: to even would be 2
	} {
		if got := order.EUR.Cents(row.cents).Percent(row.hundredths); got != order.EUR.Cents(row.want) {
			t.Errorf("%d hundredths of a percent of %d cents: got %d, want %d", row.hundredths, row.cents, got.Minor, row.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		cents, hundredths := rapid.Int64().Draw(t, "cents"), rapid.IntRange(0, 10_000).Draw(t, "hundredths")
		exact := big.NewRat(int64(hundredths), 10_000)
		exact.Mul(exact, new(big.Rat).SetInt64(cents))
		// FloatString rounds half away from zero.
		if got, want := order.EUR.Cents(cents).Percent(hundredths).Minor, exact.FloatString(0); big.NewInt(got).String() != want && want != "-0" {
			t.Errorf("%d hundredths of a percent of %d cents: got %d, want %s", hundredths, cents, got, want)
		}
	})
}

func TestNothingInNoCurrencyChangesNoSum(t *testing.T) {
	t.Parallel()
	if got := order.EUR.Cents(5).Plus(order.Money{}); got != order.EUR.Cents(5) {
		t.Errorf("got %+v, want 5 cents", got)
	}
	if got := (order.Money{}).Plus(order.EUR.Cents(5)); got != order.EUR.Cents(5) {
		t.Errorf("got %+v, want 5 cents", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("euros and francs were added, want a panic")
		}
	}()
	order.EUR.Cents(5).Plus(order.Money{Minor: 5, Currency: "CHF"})
}

func TestTheLargestOrderAddsUpAndItsTotalCanBeRead(t *testing.T) {
	t.Parallel()
	o := valid()
	o.Lines = lines(order.MaxLines)
	for i := range o.Lines {
		o.Lines[i].Quantity, o.Lines[i].UnitPrice = order.MaxQuantity, order.EUR.Cents(order.MaxPrice)
	}
	if wrong := o.Validate(); wrong != nil {
		t.Fatalf("got %v, want an order without faults", wrong)
	}
	net := o.ItemsTotal()
	if want := int64(order.MaxLines * order.MaxQuantity * order.MaxPrice); net != order.EUR.Cents(want) {
		t.Errorf("got a total of %d, want %d", net.Minor, want)
	}
	// Shipping that costs as much as the goods, and VAT that doubles it all.
	gross := net.Times(2)
	gross = gross.Plus(gross.Percent(10_000))
	if got, err := order.EUR.Parse(gross.String()); err != nil || got != gross {
		t.Errorf("got %v, %v; want %v read back", got, err, gross)
	}
}
