package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// forecast is of an order that would get as far as its invoice.
func forecast() *wire.Forecast {
	return &wire.Forecast{
		Job: "job_1", DeadLetter: "3-124", Cause: asked, At: at, Shipping: order.EUR.Cents(990), Total: order.EUR.Cents(5914), Carrier: "Stork Parcel", Edit: 2,
		Steps: []wire.StepForecast{
			{Step: order.StepShipping, Outcome: wire.StepOK},
			{Step: order.StepInvoice, Outcome: wire.StepFails, Class: "permanent", Reason: "render-refused", Message: "order ord_1: step invoice: <odd>"},
		},
	}
}

// answered is of an order that has changed since its dead letter was seen.
func answered() *wire.Forecast {
	return &wire.Forecast{Job: "job_1", DeadLetter: "3-124", At: at, Answer: order.Conflict}
}

func TestForecastsSurviveARoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := *forecast()
		if rapid.Bool().Draw(t, "is an answer") {
			want = *answered()
		}
		want.At, want.Cause, want.Carrier = instant(t, "at"), drawCause(t), strings.TrimRight(text(t, "carrier"), "\U0010fffd")
		want.Shipping = rapid.SampledFrom([]order.Money{{}, order.EUR.Cents(0), order.EUR.Cents(5)}).Draw(t, "shipping")
		for i := range want.Steps {
			want.Steps[i].Step = order.Step(rapid.SampledFrom([]string{"", "email", "newer"}).Draw(t, "step"))
			if want.Steps[i].Outcome == wire.StepFails {
				want.Steps[i].Message = text(t, "message")
			}
		}
		got, err := wire.ReadForecast(want.Record())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v, forecast (-want +got):\n%s", err, diff)
		}
	})
}

func TestWhatIsNoForecastIsUndecodable(t *testing.T) {
	t.Parallel()
	const value = `{"schema":1,"job":"job_1","dead_letter":"3-124","at":"2026-03-02T09:30:00Z","steps":[{"step":"shipping","outcome":"fails","reason":"no-route","message":"m"}],` +
		`"shipping":{"amount":"9.90","currency":"EUR"},"carrier":"c","edit":1}`
	read := func(value string) error {
		r := forecast().Record()
		r.Value = []byte(value)
		_, err := wire.ReadForecast(r)
		return err
	}
	if err := read(value); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ old, wrong string }{
		{value, ""},
		{value, "null"},
		{value, "[]"},
		{value, value + value},
		{`"schema":1,`, ""},
		{`"job_1"`, `"job_2"`},
		{`"job_1"`, `"job/1"`},
		{`"job":"job_1",`, ``},
		{`"3-124"`, `"3-125"`},
		{`"3-124"`, `"3/124"`},
		{`"3-124"`, `""`},
		{`"2026-03-02T09:30:00Z"`, `"yesterday"`},
		{`"steps":[{"step":"shipping","outcome":"fails","reason":"no-route","message":"m"}],`, ``},
		{`"steps":[`, `"answer":"conflict","steps":[`},
		{`"steps":[`, `"answer":"two words","steps":[`},
		{`"steps":[`, `"steps":[` + strings.Repeat(`{"outcome":"ok"},`, 100)},
		{`"fails"`, `"ok"`},
		{`"fails"`, `"perhaps"`},
		{`"no-route"`, `""`},
		{`"no-route"`, `"No route"`},
		{`"m"`, `"` + strings.Repeat("m", 601) + `"`},
		{`"9.90"`, `9.90`},
		{`"EUR"`, `"USD"`},
		{`"c"`, `"a\nb"`},
		{`"edit":1`, `"edit":-1`},
		{`"edit":1`, `"edit":"1"`},
	} {
		if !strings.Contains(value, row.old) {
			t.Fatalf("the forecast has no %s", row.old)
		}
		if err := read(strings.Replace(value, row.old, row.wrong, 1)); !errors.Is(err, wire.ErrUndecodable) || len(fmt.Sprint(err)) > 400 {
			t.Errorf("%.60s: got %.400v, want a short ErrUndecodable", row.wrong, err)
		}
	}
	if err := read(`{"schema":9,"job":7}`); !errors.Is(err, wire.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
	for _, r := range []*kgo.Record{{}, act(wire.Done).Record(), {Key: []byte("job/job_1/forecast/3-124"), Value: []byte(value)}} {
		if _, err := wire.ReadForecast(r); !errors.Is(err, wire.ErrUndecodable) {
			t.Errorf("another record: got %v, want ErrUndecodable", err)
		}
	}
}

func FuzzReadForecast(f *testing.F) {
	f.Add("job/job_1/forecast/3-124", forecast().Record().Value)
	f.Add("job/job_1/forecast/3-124", answered().Record().Value)
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		r := forecast().Record()
		r.Key, r.Value = []byte(key), value
		got, err := wire.ReadForecast(r)
		if err != nil {
			return
		}
		again, err := wire.ReadForecast(got.Record())
		if diff := cmp.Diff(got, again); diff != "" || err != nil {
			t.Errorf("%v, forecast, written and read again (-want +got):\n%s", err, diff)
		}
	})
}
