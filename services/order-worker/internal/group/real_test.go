//go:build synctests

package group

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/kafkatest"
)

// What an imitation may get wrong: what a broker says of a position that was deleted, and of its settings.
func TestLossAndSessionOnRealKafka(t *testing.T) {
	t.Parallel()
	for _, accept := range []bool{false, true} {
		t.Run(fmt.Sprint("accept ", accept), func(t *testing.T) {
			t.Parallel()
			m := gatherOn(t, kafkatest.Real(t))
			m.cfg.Group = m.Prefix
			worked := make(chan string, 99)
			handle := func(_ context.Context, _ *ledger.Ledger, r *kgo.Record, _ <-chan struct{}) error {
				worked <- fmt.Sprintf("%d@%d", r.Partition, r.Offset)
				return nil
			}
			expect := func(want string) {
				t.Helper()
				if got := <-worked; got != want {
					t.Errorf("worked on %s, want %s", got, want)
				}
			}
			m.fill(t, m.Topics.Orders, 1, 1)
			stop := m.join(t, handle)
			expect("1@0")
			stop()
			m.fill(t, m.Topics.Orders, 1, 5)
			m.erase(t, m.Topics.Orders, 1, 5)
			var said *warnings
			c, stop := m.member(t, handle, func(c *Config) {
				said = listen(c)
				c.AcceptLoss = accept
			})
			if accept {
				expect("1@5")
				// Under the member that reads.
				c.fetch(m.Topics.Orders, 1, true)
				m.fill(t, m.Topics.Orders, 1, 5)
				m.erase(t, m.Topics.Orders, 1, 10)
				c.fetch(m.Topics.Orders, 1, false)
			}
			m.fill(t, m.Topics.Orders, 0, 1)
			for left := map[bool]int{false: 1, true: 2}[accept]; left > 0; left-- {
				if got := <-worked; got != "0@0" && got != "1@10" {
					t.Errorf("worked on %s, want 0@0 and, where losses are accepted, 1@10", got)
				}
			}
			stop()
			want := "partition=1 from=1 to=5 count=4\n"
			if !strings.Contains(said.String(), want) {
				t.Errorf("said %q, want a loss of %q", said, want)
			}
		})
	}
	m := gatherOn(t, kafkatest.Real(t))
	kip848(&m.cfg)
	m.cfg.Group = m.Prefix
	if got, err := sessionTimeout(t.Context(), m.cfg, m.Client); err != nil || got < 40*time.Second {
		t.Errorf("session: got %s, %v, want what the broker has, 45s by default", got, err)
	}
}
