package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/client"
)

// receiver records the Authorization headers of requests, and redirects them, unless to is empty.
type receiver struct {
	got []string
	to  string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.got = append(r.got, req.Header.Get("Authorization"))
	if r.to != "" {
		http.Redirect(w, req, r.to, http.StatusTemporaryRedirect)
		return
	}
	fmt.Fprint(w, "{}")
}

func TestTokenIsSentToItsAPIOnly(t *testing.T) {
	t.Parallel()
	other := new(receiver)
	stranger := httptest.NewServer(other)
	defer stranger.Close()
	for _, h := range []*http.Client{nil, {}} { // the second follows redirects to other hosts
		api := new(receiver)
		server := httptest.NewServer(api)
		defer server.Close()
		c, err := client.New(server.URL, h).WithToken("ok_a_b", false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Order(t.Context(), "ord_a"); err != nil {
			t.Errorf("got %v", err)
		}
		if _, err := c.PlaceJSON(t.Context(), []byte("{}"), "key", 0); err != nil {
			t.Errorf("got %v", err)
		}
		api.to = stranger.URL
		_, err = c.Order(t.Context(), "ord_a")
		if err == nil || !strings.Contains(err.Error(), "redirects to another host") || strings.Contains(err.Error(), "ok_a_b") {
			t.Errorf("got %v, want an error about the redirect, without the token", err)
		}
		if diff := cmp.Diff([]string{"Bearer ok_a_b", "Bearer ok_a_b", "Bearer ok_a_b"}, api.got); diff != "" || other.got != nil {
			t.Errorf("the other host got %q; the API (-want +got):\n%s", other.got, diff)
		}
	}
}

func TestTokenIsNotSentUnencrypted(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"http://127.0.0.1:8080": "<nil>", "http://localhost": "<nil>", "http://[::1]:80": "<nil>", "https://orders.example.com": "<nil>",
		"http://orders.example.com":           "http://orders.example.com: the token would be sent unencrypted",
		"http://192.0.2.1:8080":               "http://192.0.2.1:8080: the token would be sent unencrypted",
		"http://localhost.example.com":        "http://localhost.example.com: the token would be sent unencrypted",
		"http://127.0.0.1@orders.example.com": "http://127.0.0.1@orders.example.com: the token would be sent unencrypted",
		"orders.example.com":                  "orders.example.com: the token would be sent unencrypted",
	} {
		if _, err := client.New(base, nil).WithToken("ok_a_b", false); fmt.Sprint(err) != want {
			t.Errorf("%s: got %v, want %s", base, err, want)
		}
	}
	if _, err := client.New("http://orders.example.com", nil).WithToken("ok_a_b", true); err != nil {
		t.Errorf("allowed: got %v", err)
	}
	for _, token := range []string{"", "two words", "line\n", "ok_ß", "\x00"} {
		if _, err := client.New("https://orders.example.com", nil).WithToken(token, true); err == nil {
			t.Errorf("token %q: got no error", token)
		}
	}
}
