package ctl_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReplayByIDWithoutTheDeadLetter(t *testing.T) {
	t.Parallel()
	s := open(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/replay") {
			s.ServeHTTP(w, r)
			return
		}
		of := map[string]string{"/v1/dead-letters/3-1": `, "order": "ord_1"`}[r.URL.Path]
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusGone)
		fmt.Fprintf(w, `{"type": "/problems/dead-letter-gone", "title": "Gone", "status": 410%s}`, of)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	for _, row := range []struct{ args, stdout, last string }{
		{"dlq show 3-1", "", "ordersctl: Gone\nhint: replay it with: ordersctl dlq replay 3-1\n"},
		{"dlq replay 3-1", "3-1 ord_1 sent\n", "ordersctl: dead letters 1: sent 1\n"},
		{"dlq replay 3-2", "", "ordersctl: Gone\n"},
	} {
		stdout, stderr, err := s.run(t, "", strings.Fields(row.args)...)
		if err != nil {
			stderr += told(err)
		}
		if stdout != row.stdout || !strings.HasSuffix(stderr, row.last) {
			t.Errorf("%s: got %q and %q, want %q and %q", row.args, stdout, stderr, row.stdout, row.last)
		}
	}
	if got := strings.Join(s.sent, " "); got != "3-1" {
		t.Errorf("replayed %q, want 3-1", got)
	}
}
