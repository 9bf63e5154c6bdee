package worker

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-worker/internal/pipeline"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/shared/order"
)

// TestStepsAreThoseOfTheDomain fails if a step is in one list only: order.Steps is what OpenAPI and the
// filters of the API are compared with.
func TestStepsAreThoseOfTheDomain(t *testing.T) {
	t.Parallel()
	all, mail, err := steps(Config{Settings: Settings{SMTP: "mail.test:25", MailFrom: "shop@example.com", Concurrency: 1}}, &retry.Breaker{})
	if err != nil {
		t.Fatal(err)
	}
	defer mail.Close()
	var names []order.Step
	intents := map[order.Status]order.Step{}
	for _, s := range all {
		names = append(names, s.Name())
		if s, ok := s.(interface {
			pipeline.Step
			pipeline.WithIntent
		}); ok {
			if other := intents[s.Intent()]; other != "" {
				t.Errorf("steps %s and %s have the same intent %s", other, s.Name(), s.Intent())
			}
			intents[s.Intent()] = s.Name()
		}
	}
	if diff := cmp.Diff(order.Steps(), names); diff != "" {
		t.Errorf("steps (-order.Steps +worker):\n%s", diff)
	}
}
