package address_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/address"
	"example.com/orders/shared/order"
)

func TestOnePlaceHasOneBareCode(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		country, want string
		codes         []string
	}{
		{"DE", "10115", []string{"10115", "D-10115", "d 10115", "DE-10115", "DE10115", "D–10115", "１０１１５", " 10 115\u00a0", "10115\u202f", "D\u00a010115"}},
		{"LV", "1010", []string{"LV-1010", "1010", "lv 1010", "LV–1010"}},
		{"LT", "04340", []string{"LT-04340", "04340"}},
		{"LU", "1009", []string{"L-1009", "LU-1009", "1009"}},
		{"AT", "1010", []string{"A-1010", "AT-1010", "1010"}},
		{"CH", "8001", []string{"CH-8001", "8001"}},
		{"SE", "11455", []string{"S-114 55", "SE-114 55", "114 55", "11455"}},
		{"FI", "00100", []string{"FIN-00100", "FI-00100", "00100"}},
		{"AX", "22100", []string{"AX-22100", "FI-22100", "FIN-22100", "22100"}},
		{"GB", "EC1Y8SY", []string{"EC1Y 8SY", "ec1y8sy", "ＥＣ１Ｙ ８ＳＹ"}},
		{"NL", "1234AB", []string{"1234 AB", "1234ab", "NL-1234 AB"}},
		{"JP", "1540023", []string{"154-0023", "〒154-0023", "１５４−００２３", "154ー0023"}},
		{"IR", "1193612345", []string{"۱۱۹۳۶-۱۲۳۴۵", "11936-12345"}},
		{"EG", "12411", []string{"١٢٤١١", "12411"}},
		{"MT", "MTP1001", []string{"MTP 1001"}}, // no prefix: the digits do not follow
		{"DE", "D", []string{"D", "D-"}},
		{"", "", []string{"", " ", "-", "\u200b"}},
	} {
		for _, code := range row.codes {
			if got := address.Bare(row.country, code); got != row.want {
				t.Errorf("%s %q: got %q, want %q", row.country, code, got, row.want)
			}
		}
	}
}

// written is a code as people and spreadsheets write it, and the one form of it. If it has a wrong form, the fault is the end of the detail.
type written struct{ country, code, want, fault string }

func TestPostalCodesOfEuropeAreNormalised(t *testing.T) {
	t.Parallel()
	normalised(t, []written{
		{"DE", "D-01067", "01067", ""},
		{"DE", " 01067\u00a0", "01067", ""},
		{"DE", "０１０６７", "01067", ""},
		{"DE", "1067", "1067", "Germany, such as 26133: DE has five digits, not four; a spreadsheet may have dropped a zero"},
		{"DE", "1067.0", "1067.0", "Germany, such as 26133"},
		{"DE", "1,067", "1,067", "Germany, such as 26133"},
		{"DE", "1.067E+03", "1.067E+03", "Germany, such as 26133"},
		{"DE", "010671", "010671", "Germany, such as 26133: DE has five digits, not six"},
		{"DE", "", "", ""},
		{"IE", "", "", ""},
		{"IE", "d6w xy00", "D6W XY00", ""},
		{"IE", "Dublin 2", "DUBLIN 2", "Ireland, such as A65 F4E2"}, // 7 letters and digits, as an Eircode
		{"AT", "A-1010", "1010", ""},
		{"AT", "101", "101", "Austria, such as 1010: AT has four digits, not three"},
		{"CH", "CH-8001", "8001", ""},
		{"FR", "F-75001", "75001", ""},
		{"FR", "75 001", "75001", ""},
		{"FR", "1000", "1000", "France, such as 33380: FR has five digits, not four; a spreadsheet may have dropped a zero"},
		{"IT", "I-00144", "00144", ""},
		{"IT", "144", "144", "Italy, such as 00144: IT has five digits, not three; a spreadsheet may have dropped a zero"},
		{"RO", "060274", "060274", ""},
		{"RO", "60274", "60274", "Romania, such as 060274: RO has six digits, not five; a spreadsheet may have dropped a zero"},
		{"PL", "00950", "00-950", ""},
		{"PL", "PL 00–950", "00-950", ""},
		{"PL", "950", "950", "Poland, such as 00-950: PL has five digits, not three; a spreadsheet may have dropped a zero"},
		{"NL", "1234ab", "1234 AB", ""},
		{"NL", "NL-1234 AB", "1234 AB", ""},
		{"NL", "1234", "1234", "Netherlands, such as 1234 AB"},
		{"GB", "m11ae", "M1 1AE", ""},
		{"GB", "w1a1hq", "W1A 1HQ", ""},
		{"GB", "EC1Y8SY", "EC1Y 8SY", ""},
		{"GB", "dn551pt", "DN55 1PT", ""},
		{"GB", "gir0aa", "GIR 0AA", ""},
		{"GB", "BFPO57", "BFPO 57", ""},
		{"GB", "10115", "10115", "United Kingdom, such as EC1Y 8SY"},
		{"JE", "je11aa", "JE1 1AA", ""},
		{"CA", "h3z2y7", "H3Z 2Y7", ""},
		{"CA", "H3Z-2Y7", "H3Z 2Y7", ""},
		{"IE", "a65f4e2", "A65 F4E2", ""},
		{"IE", "D6W XY00", "D6W XY00", ""},
		{"PT", "2725079", "2725-079", ""},
		{"PT", "2725", "2725", "Portugal, such as 2725-079: PT has seven digits, not four"},
		{"JP", "〒1000005", "100-0005", ""},
		{"JP", "600000", "600000", "Japan, such as 154-0023: JP has seven digits, not six; a spreadsheet may have dropped a zero"},
		{"BR", "40301110", "40301-110", ""},
		{"BR", "1001000", "1001000", "Brazil, such as 40301-110: BR has eight digits, not seven; a spreadsheet may have dropped a zero"},
		{"LV", "1010", "LV-1010", ""},
		{"LV", "lv1010", "LV-1010", ""},
		{"LT", "LT-04340", "04340", ""},
		{"LT", "4340", "4340", "Lithuania, such as 04340: LT has five digits, not four; a spreadsheet may have dropped a zero"},
		{"LU", "L-1009", "1009", ""},
		{"SE", "SE-11455", "114 55", ""},
		{"SE", "114\u00a055", "114 55", ""},
		{"FI", "FIN-00100", "00100", ""},
		{"FI", "AX-22100", "22100", ""},
		{"AX", "AX-22100", "22100", ""},
		{"NO", "N-0150", "0150", ""},
		{"DK", "DK-2100", "2100", ""},
		{"CZ", "11000", "110 00", ""},
		{"SK", "SK-01001", "010 01", ""},
		{"SK", "1001", "1001", "Slovakia, such as 010 01: SK has five digits, not four; a spreadsheet may have dropped a zero"},
		{"GR", "15124", "151 24", ""},
		{"HU", "H-1037", "1037", ""},
	})
}

func TestPostalCodesOfOtherContinentsAreNormalised(t *testing.T) {
	t.Parallel()
	normalised(t, []written{
		{"US", "95014", "95014", ""},
		{"US", "950140001", "95014-0001", ""},
		{"US", "95014 0001", "95014-0001", ""},
		{"US", "1234", "1234", "United States, such as 95014: US has five digits, not four; a spreadsheet may have dropped a zero"},
		{"US", "12345.0", "12345.0", "United States, such as 95014"},
		{"PR", "930", "930", "Puerto Rico, such as 00930: PR has five digits, not three; a spreadsheet may have dropped a zero"},
		{"AU", "800", "800", "Australia, such as 2060: AU has four digits, not three; a spreadsheet may have dropped a zero"},
		{"MT", "nxr0101", "NXR 0101", ""},
		{"AD", "500", "AD500", ""},
		{"BN", "BT2328", "BT2328", ""},
		{"BN", "2328", "2328", "Brunei, such as BT2328"},
		{"KY", "KY11100", "KY1-1100", ""},
		{"SV", "1101", "CP 1101", ""},
		{"SA", "115641234", "11564-1234", ""},
		{"IR", "۱۱۹۳۶۱۲۳۴۵", "11936-12345", ""},
		{"IN", "110 034", "110034", ""},
		{"KR", "135-080", "135-080", "South Korea, such as 03051: KR has five digits, not six"},
		{"TW", "10491", "10491", ""},
		{"KZ", "A15A0B1", "A15A0B1", ""},
		{"AR", "c1070aam", "C1070AAM", ""},
		{"MC", "MC-98000", "98000", ""},
		{"SJ", "9170", "9170", ""},
		{"HK", "999077", "999077", ""}, // has no codes: any is kept
		{"AE", " n/a ", "N/A", ""},
		{"XX", "d-1", "d-1", ""}, // the country is refused elsewhere
	})
}

func normalised(t *testing.T, rows []written) {
	t.Helper()
	all := load(t)
	for _, row := range rows {
		o := order.Order{ShipTo: order.Address{Country: row.country, PostalCode: row.code}}
		fault := ""
		if faults := all.Normalise(&o); len(faults) > 0 {
			fault = faults[0].Detail
		}
		want := row.fault
		if want != "" {
			want = "must be a postal code of " + want
		}
		if o.ShipTo.PostalCode != row.want || fault != want {
			t.Errorf("%s %q: got %q, %q\nwant %q, %q", row.country, row.code, o.ShipTo.PostalCode, fault, row.want, want)
		}
		again := o
		all.Normalise(&again)
		if again.ShipTo != o.ShipTo {
			t.Errorf("%s %q: got %q, and then %q", row.country, row.code, o.ShipTo.PostalCode, again.ShipTo.PostalCode)
		}
	}
}

func TestTheAddressOfTheInvoiceIsNormalisedToo(t *testing.T) {
	t.Parallel()
	to := &order.BillTo{Address: order.Address{Country: "PL", PostalCode: "00950"}}
	o := order.Order{ShipTo: order.Address{Country: "DE", PostalCode: "D-10115"}, BillTo: to}
	if faults := load(t).Normalise(&o); faults != nil || o.BillTo.Address.PostalCode != "00-950" || to.Address.PostalCode != "00950" {
		t.Errorf("got %v and %q, the caller's is %q; want 00-950, and the caller's as it was", faults, o.BillTo.Address.PostalCode, to.Address.PostalCode)
	}
	o.BillTo.Address.PostalCode = "9501234"
	if faults := load(t).Normalise(&o); len(faults) != 1 || faults[0].Pointer != "/bill_to/postal_code" {
		t.Errorf("got %v, want a fault of /bill_to/postal_code", faults)
	}
}

func TestTheCodeOfANewOrderIsMissing(t *testing.T) {
	t.Parallel()
	o := order.Order{ShipTo: order.Address{Country: "GB", PostalCode: " \u00a0-"}, BillTo: &order.BillTo{Address: order.Address{Country: "DE"}}}
	want := []order.Invalid{
		{Pointer: "/ship_to/postal_code", Detail: "must be a postal code of United Kingdom, such as EC1Y 8SY"},
		{Pointer: "/bill_to/postal_code", Detail: "must be a postal code of Germany, such as 26133"},
	}
	if diff := cmp.Diff(want, load(t).Missing(&o)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	for _, a := range []order.Address{{Country: "IE"}, {Country: "HK"}, {Country: "XX"}, {Country: "GB", PostalCode: "BT1 5GS"}} {
		if faults := load(t).Missing(&order.Order{ShipTo: a}); faults != nil {
			t.Errorf("%v: got %v, want no fault", a, faults)
		}
	}
}
