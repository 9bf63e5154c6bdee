package httpapi_test

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/order"
)

// enum reads the values of a schema of openapi.yaml, and its description.
func enum[T ~string](t *testing.T, schema string) (values []T, description string) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := doc.Components.Schemas[schema].Value
	for _, v := range s.Enum {
		values = append(values, T(v.(string)))
	}
	return values, s.Description
}

func TestTheContractListsEveryStatus(t *testing.T) {
	t.Parallel()
	listed, text := enum[order.Status](t, "Status")
	if diff := cmp.Diff(order.Statuses(), listed); diff != "" {
		t.Errorf("statuses of openapi.yaml (-want +got):\n%s", diff)
	}
	for _, s := range order.Statuses() {
		if (s.Final() || s.Parked()) && !strings.Contains(strings.ToLower(text), string(s)) {
			t.Errorf("the description of Status does not explain %s, which is final or parked", s)
		}
	}
}

// TestTheContractListsEveryStep covers the parameter of the dead letters' filter too: it refers to
// the same schema, and the API's filter takes order.Steps.
func TestTheContractListsEveryStep(t *testing.T) {
	t.Parallel()
	listed, _ := enum[order.Step](t, "Step")
	if diff := cmp.Diff(order.Steps(), listed); diff != "" {
		t.Errorf("steps of openapi.yaml (-want +got):\n%s", diff)
	}
}
