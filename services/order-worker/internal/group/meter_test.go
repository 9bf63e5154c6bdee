//go:build synctests

package group

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// counted checks what a scrape of the member says.
func (m *team) counted(t *testing.T, line string) {
	t.Helper()
	w := httptest.NewRecorder()
	m.cfg.Meter.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if !strings.Contains(w.Body.String(), "\norders_worker_"+line+"\n") {
		t.Errorf("got no %q in\n%s", line, w.Body)
	}
}

func TestRecordsOfANewerVersionAndStaleStatesAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := gather(t)
		m.fill(t, m.Topics.Orders, 1, 1)
		m.joinFor(t, 5*time.Second, m.work) // its claims have offset 0
		m.fill(t, m.Topics.Orders, 1, 1)
		m.join(t, func(ctx context.Context, l *ledger.Ledger, r *kgo.Record, stopping <-chan struct{}) error {
			if r.Topic == m.Topics.Orders {
				return wire.ErrNewer
			}
			return m.work(ctx, l, r, stopping)
		})
		time.Sleep(5 * time.Second)
		stale := order.Order{ID: "ord_1"}.Begin(order.Origin{Partition: 1})
		kafkatest.Record(t, &stale, order.Change{Rev: 2, At: time.Now(), Status: order.Working})
		late := wire.State(stale, 0)
		late.Topic, late.Partition = m.Topics.Status, 1
		m.Produce(t, late)
		time.Sleep(5 * time.Second)
		m.counted(t, "refused_records_total 1")
		m.counted(t, "stale_states_total 1")
		m.counted(t, "restore_seconds_count 6")
	})
}
