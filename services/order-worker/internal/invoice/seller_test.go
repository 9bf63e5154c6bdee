package invoice

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/order"
)

const smallSeller = "name: Shop\nstreet: Street 1\ncity: Town\ncountry: BE\nvat_id: BE0123456789\nemail: shop@example.com\n"

func TestSellerIsReadFromItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seller.yaml")
	if err := os.WriteFile(path, []byte(smallSeller), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := LoadSeller(path, setup(t).vat)
	if err != nil {
		t.Fatal(err)
	}
	want := Seller{Name: "Shop", Street: "Street 1", City: "Town", Country: "BE", VATID: "BE0123456789", Email: "shop@example.com"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("seller (-want +got):\n%s", diff)
	}
}

func TestNumbersOfTheSellerAreReadAsPeopleWriteThem(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seller.yaml")
	text := strings.Replace(smallSeller, "BE0123456789", "be 0123.456.789\niban: be68 5390\u00a00754 7034\nbic: kredbebb", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := LoadSeller(path, setup(t).vat)
	if err != nil {
		t.Fatal(err)
	}
	if s.VATID != "BE0123456789" || s.account() != "BE68539007547034" || s.BIC != "KREDBEBB" {
		t.Errorf("got %q, %q and %q, want them in the form of documents", s.VATID, s.account(), s.BIC)
	}
}

func TestBuiltInSellerIsAnExample(t *testing.T) {
	t.Parallel()
	got, err := LoadSeller("", setup(t).vat)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got.Name, "Example ") || !strings.HasSuffix(got.Email, ".example.com") || strings.Trim(got.VATID, "DE0") != "" {
		t.Errorf("got %+v, want an example on example.com with numbers of noughts", got)
	}
}

func TestSellerErrorsNameFileAndLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxSellerText+1)
	for _, tt := range []struct{ name, from, to, want string }{
		{"unknown key", "vat_id", "vatid", "seller.yaml:5: unknown key \"vatid\""},
		{"missing name", "name: Shop", "bic: X", "seller.yaml:1: name must not be empty"},
		{"blank e-mail", "shop@example.com", "' '", "seller.yaml:6: email must not be empty"},
		{"country in words", "BE\n", "Belgium\n", "seller.yaml:4: country must be an ISO 3166-1 alpha-2 code in upper case, such as DE"},
		{"paid before the invoice", "email:", "payment_days: -1\nemail:", "seller.yaml:6: payment_days must be from 0 to 365"},
		{"a zone of no place", "email:", "time_zone: Europe/Atlantis\nemail:", "seller.yaml:6: time_zone must be the name of a zone, such as Europe/Berlin"},
		{"the zone of the machine", "email:", "time_zone: Local\nemail:", "seller.yaml:6: time_zone must be the name of a zone, such as Europe/Berlin"},
		{"no street", "street: Street 1", "street2: Rear", "seller.yaml:1: street must not be empty"},
		{"a blank city", "Town", "' '", "seller.yaml:3: city must not be empty"},
		{"the address in lines", "street: Street 1", "address: [Street 1, 1000 Town]", "seller.yaml:2: unknown key \"address\""},
		{"a blank managing director", "email:", "managing_directors: [Bo, '']\nemail:", "seller.yaml:6: a line of managing_directors must not be empty"},
		{"a board as long as a page", "email:", "managing_directors: [1,2,3,4,5,6,7,8,9,10,11]\nemail:", "seller.yaml:6: managing_directors must have at most 10 lines"},
		{"an imprint of two lines in one", "email:", "imprint: [\"a\\nb\"]\nemail:", "seller.yaml:6: a line of imprint " + order.NotPlain},
		{"a long telephone number", "email:", "contact: {phone: " + long + "}\nemail:", "seller.yaml:6: phone must have at most 100 characters"},
		{"answers to a name", "email:", "reply_to: Help <help@example.com>\nemail:", "seller.yaml:6: reply_to must be an e-mail address such as help@example.com"},
		{"answers to half an address", "email:", "reply_to: help\nemail:", "seller.yaml:6: reply_to must be an e-mail address such as help@example.com"},
		{"a line separator", "name: Shop", `name: "Shop\u2028GmbH"`, "seller.yaml:1: name " + order.NotPlain},
		{"a text as long as a page", "Shop", long, "seller.yaml:1: name must have at most 100 characters"},
		{"a logo that is no path", "email:", "logo: M1 1 L2\nemail:", "seller.yaml:6: logo must be a path of SVG: \"L\" is not a path command, or lacks numbers"},
		{"a logo out of its square", "email:", "logo: M1 25\nemail:", "seller.yaml:6: logo must be a path of SVG: \"25\" is not a number from 0 to 24"},
		{"a colour by its name", "email:", "colour: green\nemail:", "seller.yaml:6: colour must be six hex digits, such as 1f5b4c"},
		{"a seller outside the Union", "BE\n", "CH\n", "seller.yaml:4: country CH: the seller must be in a member state of the European Union"},
		{"a seller outside the VAT area", "country: BE", "country: ES\npostal_code: \"35001\"", "seller.yaml:4: Canary Islands (ES 35001): the seller must be in a member state"},
		{"a VAT ID without its prefix", "BE0123456789", `"0123456789"`, "seller.yaml:5: vat_id must be a VAT ID of BE, from where the goods are dispatched"},
		{"a VAT ID of another state", "BE0123456789", "DE123456789", "seller.yaml:5: vat_id must be a VAT ID of BE"},
		{"an IBAN with a typing mistake", "email:", "iban: DE89 3704 0044 0532 0130 01\nemail:", "seller.yaml:6: iban must be an IBAN"},
		{"an IBAN without a digit", "email:", "iban: DE89 3704 0044 0532 0130 0\nemail:", "seller.yaml:6: iban must be an IBAN"},
		{"the number of an account", "email:", "iban: \"0532013000\"\nemail:", "seller.yaml:6: iban must be an IBAN"},
		{"the code of a bank", "email:", "bic: \"37040044\"\nemail:", "seller.yaml:6: bic must have 8 or 11 characters"},
		{"questions to half an address", "shop@example.com", "shop", "seller.yaml:6: email must be an e-mail address"},
		{"text for a list", "email:", "managing_directors: Bo\nemail:", "seller.yaml:6: must be a list"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "seller.yaml")
			if err := os.WriteFile(path, []byte(strings.Replace(smallSeller, tt.from, tt.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadSeller(path, setup(t).vat)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
