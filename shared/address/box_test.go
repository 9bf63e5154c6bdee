package address_test

import (
	"testing"

	"example.com/orders/shared/address"
	"example.com/orders/shared/order"
)

func TestPackingStationsAndPOBoxesAreFound(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ country, line1, line2, want string }{
		{"DE", "Packstation 123", "Postnummer 12345678", "Packstation 123"},
		{"DE", "12345678", "DHL PACKSTATION 123", "DHL PACKSTATION 123"},
		{"DE", "Postnummer 12345678", "Packstation Nr. 123", "Packstation Nr. 123"},
		{"DE", "Postfiliale 456", "1234567890", "Postfiliale 456"},
		{"DE", "Postfach 12 34 56", "", "Postfach 12 34 56"},
		{"DE", "Beispiel GmbH, Postfach 1234", "", "Beispiel GmbH, Postfach 1234"},
		{"AT", "Postfach 7", "", "Postfach 7"},
		{"AT", "Abholstation 12", "", "Abholstation 12"},
		{"CH", "Case postale 12", "", "Case postale 12"},
		{"CH", "C.P. 123", "", "C.P. 123"},
		{"FR", "BP 45", "", "BP 45"},
		{"FR", "B.P. 45", "Zone industrielle", "B.P. 45"},
		{"FR", "Boîte Postale 45", "", "Boîte Postale 45"},
		{"SN", "BP 1234", "", "BP 1234"},
		{"BE", "Postbus 12", "", "Postbus 12"},
		{"NL", "Postbus 1234", "", "Postbus 1234"},
		{"NL", "Antwoordnummer 500", "", "Antwoordnummer 500"},
		{"IT", "Casella Postale 12", "", "Casella Postale 12"},
		{"IT", "C.P. 12", "", "C.P. 12"},
		{"ES", "Apartado de Correos 12", "", "Apartado de Correos 12"},
		{"ES", "Apdo. 12", "", "Apdo. 12"},
		{"PT", "Apartado 1234", "", "Apartado 1234"},
		{"CL", "Casilla 12", "", "Casilla 12"},
		{"BR", "Caixa Postal 12", "", "Caixa Postal 12"},
		{"GB", "PO Box 123", "", "PO Box 123"},
		{"GB", "P.O. Box 123", "", "P.O. Box 123"},
		{"IE", "p o box 7", "", "p o box 7"},
		{"US", "POBOX 7", "", "POBOX 7"},
		{"US", "Post Office Box 7", "", "Post Office Box 7"},
		{"US", "PSC 1234 Box 5678", "", "PSC 1234 Box 5678"},
		{"US", "Unit 1234, Box 5678", "", "Unit 1234, Box 5678"},
		{"CA", "C.P. 123", "", "C.P. 123"},
		{"AU", "Locked Bag 1234", "", "Locked Bag 1234"},
		{"AU", "GPO Box 1234", "", "GPO Box 1234"},
		{"AU", "Parcel Locker 10123 45678", "", "Parcel Locker 10123 45678"},
		{"NZ", "Private Bag 12", "", "Private Bag 12"},
		{"ZA", "Private Bag X12", "", "Private Bag X12"},
		{"SE", "Box 123", "", "Box 123"},
		{"DK", "Postboks 12", "", "Postboks 12"},
		{"NO", "Pb 12", "", "Pb 12"},
		{"FI", "PL 12", "", "PL 12"},
		{"EE", "Omniva pakiautomaat", "", "Omniva pakiautomaat"},
		{"LT", "LP Express paštomatas 12", "", "LP Express paštomatas 12"},
		{"PL", "Skrytka pocztowa 12", "", "Skrytka pocztowa 12"},
		{"PL", "Paczkomat WAW01A", "", "Paczkomat WAW01A"},
		{"CZ", "P. O. BOX 12", "", "P. O. BOX 12"},
		{"HU", "Pf. 12", "", "Pf. 12"},
		{"UA", "а/я 12", "", "а/я 12"},
		{"GR", "Τ.Θ. 123", "", "Τ.Θ. 123"},
		{"TR", "P.K. 12", "", "P.K. 12"},
		{"JP", "中央郵便局私書箱12号", "", "中央郵便局私書箱12号"},
		{"KR", "서울중앙우체국 사서함 12", "", "서울중앙우체국 사서함 12"},
		{"SA", "ص.ب ١٢", "", "ص.ب ١٢"},
		{"DE", "ＰＯ　Ｂｏｘ １２", "", "ＰＯ　Ｂｏｘ １２"},
	} {
		if got := address.Box(order.Address{Country: row.country, Line1: row.line1, Line2: row.line2}); got != row.want {
			t.Errorf("%s %q, %q: got %q, want %q", row.country, row.line1, row.line2, got, row.want)
		}
	}
}

func TestStreetsAreNoBoxes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ country, line1, line2, want string }{
		{"DE", "Boxhagener Straße 12", "", ""},
		{"DE", "Postfachweg 3", "", ""},
		{"DE", "Packstationsstraße 5", "", ""},
		{"DE", "Poststraße 5", "", ""},
		{"DE", "Hauptstr. 5", "neben der Packstation 12", ""},
		{"DE", "Hauptstr. 5", "Hinterhaus, gegenüber Packstation 12", ""},
		{"DE", "Musterstraße 5", "Postfach 1234", ""}, // a courier goes to the street
		{"DE", "Postfach 1234", "Musterstraße 5a", ""},
		{"DE", "Zur alten Packstation", "", ""},
		{"DE", "Packeisstation 5", "", ""},
		{"DE", "BP-Tankstelle", "Hauptstr. 3", ""},
		{"FR", "12 rue de la Paix", "BP 45", ""},
		{"FR", "12 rue Bpifrance", "", ""},
		{"BE", "Kerkstraat 12 box 3", "", ""},
		{"BE", "Kerkstraat 12", "bus 3", ""},
		{"GB", "Box Hill Road 12", "", ""},
		{"GB", "Box 5, The Mews", "", ""},
		{"GB", "2 Pobox Lane", "", "2 Pobox Lane"}, // ambiguous: most write a PO box so
		{"GB", "12 Lockedbag Lane", "", ""},
		{"US", "RR 2 Box 152", "", ""},
		{"US", "1 Boxwood Ave, Unit 5", "", ""},
		{"ES", "Calle del Apartado 5", "", "Calle del Apartado 5"}, // as above
		{"MX", "C.P. 28001", "", ""},                               // the postal code
		{"IT", "Via della Casella 5", "", ""},
		{"SE", "Boxgatan 12", "", ""},
		{"FI", "Plantie 12", "", ""},
		{"NL", "Postbusstraat 1", "", ""},
		{"SA", "صبيا 12", "", ""},
		{"TR", "Park Caddesi 12", "", ""},
		{"", "", "", ""},
	} {
		if got := address.Box(order.Address{Country: row.country, Line1: row.line1, Line2: row.line2}); got != row.want {
			t.Errorf("%s %q, %q: got %q, want %q", row.country, row.line1, row.line2, got, row.want)
		}
	}
}

func TestMilitaryPostIsABox(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		to   order.Address
		want string
	}{
		{order.Address{Line1: "1 Unit St", City: "APO", Region: "AE", PostalCode: "09012", Country: "US"}, "APO AE"},
		{order.Address{Line1: "1 Unit St", City: "Fpo", Region: "AP", PostalCode: "96349", Country: "US"}, "Fpo AP"},
		{order.Address{Line1: "1 Unit St", City: "London", PostalCode: "BFPO 57", Country: "GB"}, "BFPO 57"},
		{order.Address{Line1: "1 Unit St", City: "Apo", Region: "Kivu", Country: "CD"}, ""},
		{order.Address{Line1: "1 Unit St", City: "Annapolis", Region: "MD", PostalCode: "21401", Country: "US"}, ""},
	} {
		if got := address.Box(row.to); got != row.want {
			t.Errorf("%+v: got %q, want %q", row.to, got, row.want)
		}
	}
}
