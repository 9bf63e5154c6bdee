package ctl_test

import (
	"io"
	"net/http"
	"testing"
)

func TestADeletedDeadLetterCanBeReplayedIfItsOrderIsKnown(t *testing.T) {
	t.Parallel()
	for order, want := range map[string]string{
		`, "order": "ord_1"`: "ordersctl: Gone\nhint: replay it with: ordersctl dlq replay 3-1\n",
		"":                   "ordersctl: Gone\n",
	} {
		s := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusGone)
			io.WriteString(w, `{"type": "/problems/dead-letter-gone", "title": "Gone", "status": 410`+order+`}`)
		})
		if _, _, err := s.run(t, "", "dlq", "show", "3-1"); told(err) != want {
			t.Errorf("got %q, want %q", told(err), want)
		}
	}
}
