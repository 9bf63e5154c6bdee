package client_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/orders/services/order-api/client"
)

// endless answers with a status and then the same bytes until the client disconnects.
func endless(t *testing.T, begin, again string) *client.Client {
	t.Helper()
	block := strings.Repeat(again, 64<<10/len(again))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, begin)
		for err == nil {
			_, err = io.WriteString(w, block)
		}
	}))
	t.Cleanup(server.Close)
	return client.New(server.URL, nil)
}

func TestOversizedResponseIsAnError(t *testing.T) {
	t.Parallel()
	for what, call := range map[string]func(*client.Client) error{
		"an order":   func(c *client.Client) error { _, err := c.Order(t.Context(), "ord_1"); return err },
		"a page":     func(c *client.Client) error { _, _, err := c.Orders(t.Context(), client.OrderQuery{}); return err },
		"a document": func(c *client.Client) error { _, err := c.Invoice(t.Context(), "ord_1"); return err },
		"an event": func(c *client.Client) error {
			for _, err := range c.Watch(t.Context(), "ord_1", -1) {
				return err
			}
			return nil
		},
	} {
		if err := call(endless(t, `data: {"id": "`, "a")); err == nil || !strings.Contains(err.Error(), "larger than") {
			// A JSON decoder refuses the first byte of a document.
			if err = call(endless(t, `{"id": "`, "a")); err == nil || !strings.Contains(err.Error(), "larger than") {
				t.Errorf("%s: got %.200v, want an error about its size", what, err)
			}
		}
	}
}

func TestRedirectToAnotherHostIsNotFollowed(t *testing.T) {
	t.Parallel()
	var strangers atomic.Int32
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers.Add(1) }))
	defer stranger.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		api := httptest.NewServer(http.RedirectHandler(stranger.URL, status))
		defer api.Close()
		at, _ := url.Parse(api.URL)
		at.User = url.UserPassword("me", "hush")
		c := client.New(at.String(), nil)
		_, placed := c.Place(t.Context(), client.NewOrder{}, "key", 0)
		_, got := c.Invoice(t.Context(), "ord_1")
		for _, err := range []error{placed, got} {
			if err == nil || !strings.Contains(err.Error(), stranger.URL) || strings.Contains(err.Error(), "hush") {
				t.Errorf("%d: got %v, want an error that names the other host, and no password", status, err)
			}
		}
	}
	if n := strangers.Load(); n != 0 {
		t.Errorf("the other host got %d requests", n)
	}
}
