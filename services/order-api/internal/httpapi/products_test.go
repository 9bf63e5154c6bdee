package httpapi_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
	"example.com/orders/shared/rates"
)

// borkum is an order to an island, with only the fields that a quote needs.
func borkum() client.NewOrder {
	return client.NewOrder{
		ShipTo: client.Address{PostalCode: "26757", Country: "DE"},
		Items:  []client.Item{{SKU: "BOTTLE-750", Quantity: 2}},
	}
}

func TestQuoteHasEachAvailableService(t *testing.T) {
	t.Parallel()
	s := setup(t)
	got, err := s.client.Quote(t.Context(), borkum())
	must(t, err)
	euros := func(amount string) *client.Money { return &client.Money{Amount: amount, Currency: "EUR"} }
	parcels := []client.Parcel{{Count: 1, Grams: 840, BillableGrams: 1000, SizeMM: [3]int{270, 189, 80}, Items: borkum().Items}}
	card := got.Services[0].Card
	want := client.Quote{ItemsTotal: *euros("49.80"), Service: "standard", Services: []client.Shipping{
		{
			Service: "standard", Zone: "germany", Carrier: "Stork Parcel", Price: *euros("14.40"), Parcels: parcels, Card: card,
			Fuel: euros("0.30"), Remote: euros("9.50"),
		},
		{
			Service: "express", Zone: "germany", Carrier: "Falcon Express", Price: *euros("37.64"), Parcels: parcels, Card: card,
			Fuel: euros("1.54"), Remote: euros("24.00"),
		},
	}}
	want.Services[0].Days.Min, want.Services[0].Days.Max = 1, 3
	want.Services[1].Days.Min, want.Services[1].Days.Max = 1, 1
	if diff := cmp.Diff(want, got); diff != "" || card == "" {
		t.Errorf("quote (-want +got):\n%s", diff)
	}
	island := borkum()
	island.ShipTo = client.Address{PostalCode: "35001", Country: "ES"}
	got, err = s.client.Quote(t.Context(), island)
	if err != nil || len(got.Services) != 1 || got.Services[0].Service != "standard" {
		t.Errorf("where there is no express: got %+v, %v; want standard alone", got, err)
	}
}

// TestQuoteIsWhatTheOrderCosts places the quoted order, and calculates shipping as a
// worker does.
func TestQuoteIsWhatTheOrderCosts(t *testing.T) {
	t.Parallel()
	s := setup(t)
	o := wanted()
	o.Items, o.Service = []client.Item{{SKU: "SPORK-TI", Quantity: 700}, {SKU: "BOARD-OAK", Quantity: 30}}, "express"
	o.Payment = &client.Payment{Method: "card", Reference: "ch-1", Amount: client.Money{Amount: "1.00", Currency: "EUR"}} // paid now
	quoted, err := s.client.Quote(t.Context(), o)
	must(t, err)
	state := s.place(t, o)
	card, err := rates.Load("")
	must(t, err)
	state.Progress.Shipping, err = card.Ship(state.Order)
	must(t, err)
	s.advance(t, &state, order.Change{Status: order.Working})
	got, err := s.client.Order(t.Context(), string(state.Order.ID))
	must(t, err)
	for _, service := range quoted.Services {
		if service.Service != quoted.Service {
			continue
		}
		if diff := cmp.Diff(&service, got.Shipping); diff != "" || len(service.Parcels) < 2 {
			t.Errorf("shipping of the order, of several parcels (-quoted +got):\n%s", diff)
		}
		return
	}
	t.Errorf("got %+v, want express, which was asked for", quoted)
}

// TestParcelsWithUnknownLinesAreShown reads a state that another program wrote.
func TestParcelsWithUnknownLinesAreShown(t *testing.T) {
	t.Parallel()
	s := setup(t)
	state := s.place(t, wanted())
	state.Progress.Shipping = &order.Shipping{
		Service: order.Standard, Price: order.EUR.Cents(490),
		Parcels: []order.Parcel{{Count: 1, Content: []order.Content{{Line: -1, Quantity: 1}, {Line: 0, Quantity: 2}, {Line: 7, Quantity: 1}}}},
	}
	s.advance(t, &state, order.Change{Status: order.Working})
	got, err := s.client.Order(t.Context(), string(state.Order.ID))
	if diff := cmp.Diff(wanted().Items, got.Shipping.Parcels[0].Items); diff != "" || err != nil {
		t.Errorf("%v, items of the parcel (-want +got):\n%s", err, diff)
	}
}
