package vies_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-api/internal/vies"
	"example.com/orders/shared/order"
)

// office is a server that answers in place of VIES, and keeps what it was asked.
type office struct {
	*vies.Client
	log bytes.Buffer

	mu     sync.Mutex
	answer http.HandlerFunc
	asked  []string
}

// open starts an office that answers with a text.
func open(t *testing.T, requester string, answer http.HandlerFunc) *office {
	t.Helper()
	o := &office{answer: answer}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		o.mu.Lock()
		o.asked = append(o.asked, r.Method+" "+r.Header.Get("Content-Type")+" "+string(body))
		answer := o.answer
		o.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	var err error
	if o.Client, err = vies.New(srv.URL, requester, slog.New(slog.NewTextHandler(&o.log, nil))); err != nil {
		t.Fatal(err)
	}
	return o
}

func says(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// result asks about an ID.
func (o *office) result(t *testing.T, id string) string {
	t.Helper()
	check := o.Check(t.Context(), order.Customer{VATID: id})
	if check == nil {
		return ""
	}
	if check.ID != (order.Customer{VATID: id}).VATNumber() || check.At.IsZero() {
		t.Errorf("%s: got %+v, want ID and time", id, check)
	}
	return check.Result
}

func TestOnlyAClearAnswerCounts(t *testing.T) {
	t.Parallel()
	const valid = `{"countryCode":"AT","vatNumber":"U12345678","requestDate":"2026-11-29T10:00:00.000Z","valid":true,"requestIdentifier":"","name":"Example GmbH","address":"---"}`
	refusal := func(reason string) string {
		return `{"actionSucceed":false,"errorWrappers":[{"error":"` + reason + `"}]}`
	}
	for name, row := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"valid":                {says(200, valid), order.VATValid},
		"invalid":              {says(200, strings.Replace(valid, "true", "false", 1)), order.VATInvalid},
		"invalid, with reason": {says(200, `{"valid":false,"userError":"INVALID"}`), order.VATInvalid},
		"the state is away":    {says(200, `{"valid":false,"userError":"MS_UNAVAILABLE"}`), order.VATNotChecked},
		"refused":              {says(200, refusal("MS_UNAVAILABLE")), order.VATNotChecked},
		"refused with 400":     {says(400, refusal("INVALID_REQUESTER_INFO")), order.VATNotChecked},
		"cannot be asked":      {says(400, refusal("INVALID_INPUT")), order.VATNotChecked},
		"5xx":                  {says(503, valid), order.VATNotChecked},
		"no JSON":              {says(200, "<html>maintenance</html>"), order.VATNotChecked},
		"another JSON":         {says(200, `[]`), order.VATNotChecked},
		"nothing said":         {says(200, `{}`), order.VATNotChecked},
		"null":                 {says(200, `{"valid":null}`), order.VATNotChecked},
		"no bool":              {says(200, `{"valid":"true"}`), order.VATNotChecked},
		"huge":                 {says(200, strings.Replace(valid, "---", strings.Repeat("x", 1<<20), 1)), order.VATNotChecked},
		"moved": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, order.VATNotChecked},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, order.VATNotChecked},
		"slow":     {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, order.VATNotChecked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := open(t, "", row.answer).result(t, "ATU12345678"); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestOnlyIDsOfTheUnionAreSent(t *testing.T) {
	t.Parallel()
	o := open(t, "DE 123456789", says(200, `{"valid":true,"requestIdentifier":"WAPIAAAA1"}`))
	for id, want := range map[string]string{
		"": "", "GB123456789": "", "CHE-123.456.789": "", "US12-3456789": "", "ATU1": "", "NO123456789MVA": "",
		"DE987654321":    "", // of the requester's state
		"gr 123.456.789": `{"countryCode":"EL","vatNumber":"123456789","requesterMemberStateCode":"DE","requesterNumber":"123456789"}`,
		"XI123456789":    `{"countryCode":"XI","vatNumber":"123456789","requesterMemberStateCode":"DE","requesterNumber":"123456789"}`,
	} {
		o.asked = nil
		check := o.Check(t.Context(), order.Customer{VATID: id})
		var asked []string
		if want != "" {
			asked = []string{"POST application/json " + want}
		}
		if diff := cmp.Diff(asked, o.asked); diff != "" || (check != nil) != (want != "") || check != nil && check.RequestID != "WAPIAAAA1" {
			t.Errorf("%q: got %+v; sent (-want +got):\n%s", id, check, diff)
		}
	}
	alone := open(t, "", says(200, `{"valid":true}`))
	alone.result(t, "DE987654321")
	if want := []string{`POST application/json {"countryCode":"DE","vatNumber":"987654321"}`}; !cmp.Equal(want, alone.asked) {
		t.Errorf("without a requester: sent %q, want %q", alone.asked, want)
	}
}

// TestAStateThatIsAwayIsNotAskedEachTime has one state that is away, one that answers, and one whose
// numbers cannot be asked for.
func TestAStateThatIsAwayIsNotAskedEachTime(t *testing.T) {
	t.Parallel()
	o := open(t, "", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) })
	o.answer = func(w http.ResponseWriter, r *http.Request) {
		last := o.asked[len(o.asked)-1]
		switch {
		case strings.Contains(last, `"FR"`):
			says(200, `{"valid":true}`)(w, r)
		case strings.Contains(last, `"IT"`):
			says(400, `{"errorWrappers":[{"error":"INVALID_INPUT"}]}`)(w, r)
		default:
			says(200, `{"errorWrappers":[{"error":"MS_UNAVAILABLE"}]}`)(w, r)
		}
	}
	results := map[string]int{}
	for range 10 {
		for _, id := range []string{"ATU12345678", "FR12345678901", "IT12345678901"} {
			results[id[:2]+" "+o.result(t, id)]++
		}
	}
	if diff := cmp.Diff(map[string]int{"AT not-checked": 10, "FR valid": 10, "IT not-checked": 10}, results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	asked := map[string]int{}
	for _, q := range o.asked {
		var body struct{ CountryCode string }
		_ = json.Unmarshal([]byte(q[strings.Index(q, "{"):]), &body)
		asked[body.CountryCode]++
	}
	if diff := cmp.Diff(map[string]int{"AT": 3, "FR": 10, "IT": 10}, asked); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
	got := o.log.String()
	if strings.Count(got, "\n") != 1 || !strings.Contains(got, "VIES gives no answers") || !strings.Contains(got, "MS_UNAVAILABLE") || strings.Contains(got, "12345678") {
		t.Errorf("got the log %q, want one line with the reason and no number", got)
	}
}

func TestSettingsOfVIESAreChecked(t *testing.T) {
	t.Parallel()
	for _, row := range [][2]string{{"ec.europa.eu", ""}, {"ftp://example.com/x", ""}, {"https://", ""}, {"https://example.com", "GB123456789"}, {"https://example.com", "DE1"}} {
		if _, err := vies.New(row[0], row[1], slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%q is accepted", row)
		}
	}
}
