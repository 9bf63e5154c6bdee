package main

import (
	"testing"

	"github.com/chromedp/chromedp"

	"example.com/orders/services/order-api/client"
)

// TestInboxShowsMailsAsTheyCome: an open page tells of a new mail, and does not move before it is asked to. The mail of a hostile
// name shows it as text, and the pages are accessible.
func TestInboxShowsMailsAsTheyCome(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--workers", "0")
	s.work(t)
	b := (&site{url: s.inbox}).browse(t)
	b.open("/")
	b.has(".mails, section .q", "No mail yet.")
	b.accessible("empty inbox")
	b.await(`document.querySelector("#live").textContent == "Live" && !document.querySelector("#live").hidden`)
	o, err := s.api.Place(t.Context(), client.NewOrder{
		Customer: client.Customer{Name: "<script>alert(1)</script>", Email: "zoe@example.com"}, Service: "standard",
		ShipTo: client.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Items:  []client.Item{{SKU: "BOTTLE-750", Quantity: 2}},
	}, "", 0)
	must(t, err)
	s.ends(t, o.ID, "confirmed")
	b.await(`document.querySelector("#new").textContent == "1 new mail · show" && !document.querySelector("#new").hidden`)
	if js[int](b, `document.querySelectorAll(".mails").length`) != 0 {
		t.Error("the list moved by itself")
	}
	b.submit("#new", ".mails")
	b.has(".mails", "<script>alert(1)</script>")
	b.accessible("inbox")
	b.do(chromedp.EmulateViewport(1280, 900))
	b.submit(".mails a", "iframe")
	b.has("dl", "INV-")
	b.accessible("mail")
	b.do(chromedp.EmulateViewport(1280, 900))
	for _, show := range []string{"Text", "Source", "Headers"} {
		b.open(js[string](b, `[...document.querySelectorAll(".seg a")].find(a => a.textContent == "`+show+`").getAttribute("href")`))
		b.accessible(show)
	}
	b.open("/?q=unknown@example.com")
	b.has("section", "No mail matches.")
	b.clean()
}
