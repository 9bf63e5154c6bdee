package httpapi_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/kafka"
)

func TestChangedPartitionCountIsReportedEverywhere(t *testing.T) {
	t.Parallel()
	s := setup(t)
	placed := s.place(t, wanted())
	s.intake.Block(&kafka.Repartitioned{Topic: s.Topics.Orders, Was: 12, Is: 18})
	_, err := s.client.Place(t.Context(), wanted(), "k9", 0)
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.Status != http.StatusServiceUnavailable || !strings.Contains(p.Detail, "number of partitions") {
		t.Errorf("placing: got %v, want 503 and the cause", err)
	}
	if got := s.send(t, s.http, "GET", "/healthz/ready", ""); got.StatusCode != http.StatusServiceUnavailable || !strings.Contains(text(t, got), "number of partitions") {
		t.Errorf("ready: got %s, want 503 and the cause", got.Status)
	}
	if got := text(t, s.send(t, s.http, "GET", "/metrics", "")); !strings.Contains(got, "\norders_api_refusing{reason=\"blocked\"} 1\n") {
		t.Errorf("metrics: got %s, want orders_api_refusing with the reason blocked", got)
	}
	if got := s.send(t, s.http, "GET", "/v1/orders/"+string(placed.Order.ID), ""); got.StatusCode != http.StatusOK {
		t.Errorf("an order placed before: got %s, want it shown", got.Status)
	}
}
