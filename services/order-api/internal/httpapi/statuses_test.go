package httpapi_test

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/order"
)

func TestTheContractListsEveryStatus(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromFile("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var listed []order.Status
	for _, status := range doc.Components.Schemas["Status"].Value.Enum {
		listed = append(listed, order.Status(status.(string)))
	}
	if diff := cmp.Diff(order.Statuses(), listed); diff != "" {
		t.Errorf("statuses of openapi.yaml (-want +got):\n%s", diff)
	}
}
