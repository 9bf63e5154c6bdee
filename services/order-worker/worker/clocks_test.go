//go:build synctests

package worker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/shared/kafkatest"
)

// The brokers have different clocks, which are set while a worker is dead. Each topic stands for the broker that leads it.
func TestCrashWindowsWhileTheClocksOfTheBrokersAreSet(t *testing.T) {
	t.Parallel()
	const ahead, behind = time.Hour, -time.Hour
	for _, row := range []struct {
		name        string
		first, then kafkatest.Clocks
	}{
		{"right, then ahead", nil, kafkatest.Clocks{"": ahead}},
		{"orders ahead, then all", kafkatest.Clocks{"orders": ahead}, kafkatest.Clocks{"": ahead}},
		{"invoices behind", kafkatest.Clocks{"orders.invoices": behind}, kafkatest.Clocks{"orders.invoices": behind}},
	} {
		for _, w := range windows() {
			for _, k := range w.kills {
				if !k.after || raced && row.name != "orders ahead, then all" {
					continue // the same records, or the same code, as in another row
				}
				t.Run(row.name+"/"+w.name+"/"+k.String(), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						s := open(t)
						s.SetClocks(row.first)
						s.atDeath = func() { s.SetClocks(row.then) }
						s.crash(t, w, k)
					})
				})
			}
		}
	}
}
