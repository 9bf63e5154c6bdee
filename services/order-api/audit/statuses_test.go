package audit_test

import (
	"encoding/json"
	"testing"

	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
)

// TestEveryStatusIsCounted compares the report with the table of statuses: each final and each parked
// status has a count of its name.
func TestEveryStatusIsCounted(t *testing.T) {
	t.Parallel()
	for _, status := range order.Statuses() {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			k := kafkatest.Start(t)
			produce(t, k, func(c *clerk) {
				p := c.place(nil)
				if status == order.Dead {
					c.fail(p)
				}
				if status != order.Accepted && status != order.Dead {
					c.write(p, status)
				}
			})
			text, err := json.Marshal(run(t, k).Orders)
			if err != nil {
				t.Fatal(err)
			}
			var counts map[string]int
			if err := json.Unmarshal(text, &counts); err != nil {
				t.Fatal(err)
			}
			place := "in_flight"
			if status.Final() || status.Parked() {
				place = string(status)
			}
			if counts["accepted"] != 1 || counts[place] != 1 {
				t.Errorf("got %s, want one order accepted, and counted as %s", text, place)
			}
		})
	}
}
