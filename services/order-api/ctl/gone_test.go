package ctl_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestADeletedDeadLetterIsShownAsLost has a dead letter without its record.
func TestADeletedDeadLetterIsShownAsLost(t *testing.T) {
	t.Parallel()
	s := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"id": "3-1", "state": "lost", "order": "ord_1", "step": "shipping", "reason": "no-route"}`)
	})
	out, _, err := s.run(t, "", "dlq", "show", "3-1")
	if err != nil || !strings.Contains(out, "\n  record   deleted from its topic\n") || !strings.Contains(out, "ord_1") {
		t.Errorf("got %q, %v; want what is known, and that the record was deleted", out, err)
	}
}
