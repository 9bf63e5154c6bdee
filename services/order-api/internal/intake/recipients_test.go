//go:build synctests

package intake

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestOrdersForOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := recipients{perHour: 6}
		for n := range 6 {
			if err := r.count(fmt.Sprintf("Zoe+%d@Example.com", n)); err != nil {
				t.Fatalf("order %d: got %v, want it taken", n+1, err)
			}
		}
		crowded, ok := errors.AsType[*RecipientLimitError](r.count("zoe@example.com"))
		if !ok || crowded.Wait != 10*time.Minute {
			t.Fatalf("the seventh: got %+v, want it refused for ten minutes", crowded)
		}
		if err := r.count("zoe@example.org"); err != nil {
			t.Errorf("another address: got %v, want it taken", err)
		}
		time.Sleep(10 * time.Minute)
		if err := r.count("zoe@example.com"); err != nil {
			t.Errorf("ten minutes later: got %v, want it taken", err)
		}
		time.Sleep(50 * time.Minute) // the next generation
		for n := range 6 {
			if err := r.count("zoe@example.com"); (err == nil) != (n < 5) {
				t.Errorf("order %d of the next hour: got %v, want five taken", n+1, err)
			}
		}
	})
}

func TestMemoryOfAddressesIsBounded(t *testing.T) {
	t.Parallel()
	r := recipients{perHour: 1}
	for n := range 3 * maxRecipients {
		if err := r.count(fmt.Sprint(n, "@example.com")); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.now) + len(r.past); n > 2*maxRecipients {
		t.Errorf("got %d addresses remembered, want at most %d", n, 2*maxRecipients)
	}
	if err := (&recipients{}).count("zoe@example.com"); err != nil {
		t.Errorf("without a limit: got %v", err)
	}
}
