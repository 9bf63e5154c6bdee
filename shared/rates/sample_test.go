package rates_test

import (
	"encoding/csv"
	"errors"
	"os"
	"strconv"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
)

const root = "../../"

// units are the products of the default catalogue, each as a line of one.
func units(t *testing.T) map[string]order.Line {
	t.Helper()
	var shop struct {
		Currency string `yaml:"currency"`
		Products []struct {
			SKU         string `yaml:"sku"`
			Name        string `yaml:"name"`
			Description string `yaml:"description"`
			Category    string `yaml:"category"`
			Price       string `yaml:"price"`
			Grams       int    `yaml:"weight_g"`
			Size        [3]int `yaml:"size_mm"`
		} `yaml:"products"`
	}
	if _, err := config.LoadYAML(root+"services/order-api/internal/catalogue/catalogue.yaml", nil, &shop, nil); err != nil {
		t.Fatal(err)
	}
	of := map[string]order.Line{}
	for _, p := range shop.Products {
		price, err := order.EUR.Parse(p.Price)
		if err != nil {
			t.Fatal(err)
		}
		of[p.SKU] = order.Line{SKU: p.SKU, Quantity: 1, UnitPrice: price, Grams: p.Grams, Size: p.Size}
	}
	return of
}

func TestOnlyAntarcticaInTheSampleHasNoRoute(t *testing.T) {
	t.Parallel()
	f, err := os.Open(root + "deploy/sample/orders.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	product := units(t)
	orders := map[string]*order.Order{}
	for _, row := range rows[1:] {
		key, postalCode, country, service, sku := row[0], row[7], row[8], row[9], row[10]
		if orders[key] == nil {
			orders[key] = &order.Order{ShipTo: order.Address{PostalCode: postalCode, Country: country}, Service: service}
		}
		line := product[sku]
		if line.Quantity, err = strconv.Atoi(row[11]); err != nil {
			t.Fatal(err)
		}
		orders[key].Lines = append(orders[key].Lines, line)
	}
	card, zones, failed, several := load(t, string(defaultText(t))), map[string]int{}, map[string]int{}, 0
	for key, o := range orders {
		got, err := card.Ship(*o)
		if r, ok := errors.AsType[*rates.Refused](err); ok {
			failed[o.ShipTo.Country+" "+string(r.Reason)]++
			t.Logf("%s: %v", key, err)
			continue
		}
		sound(t, *o, got)
		zones[got.Zone]++
		if count(got.Parcels) > 1 {
			several++
		}
	}
	if diff := gocmp.Diff(map[string]int{"AQ no-route": 3}, failed); diff != "" {
		t.Errorf("failed orders (-want +got):\n%s", diff)
	}
	if len(zones) != 9 || several == 0 {
		t.Errorf("got orders to %v, %d of several parcels; want some to all 9 zones, and some of several", zones, several)
	}
}
