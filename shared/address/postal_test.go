package address_test

import (
	"testing"

	"example.com/orders/shared/address"
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
		{"", "", []string{"", " ", "-", "\xff"}},
	} {
		for _, code := range row.codes {
			if got := address.Bare(row.country, code); got != row.want {
				t.Errorf("%s %q: got %q, want %q", row.country, code, got, row.want)
			}
		}
	}
}
