//go:build synctests

package jobs_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/sqlite"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
)

// absent is a store whose database is away.
type absent struct{ view.Store }

func (absent) Resume(context.Context, map[string]kadm.TopicID) (map[kafka.Partition]view.Position, error) {
	return nil, &view.UnavailableError{Reason: "its database does not answer"}
}

func TestAnOutageOfTheDatabaseIsLoggedOnceAndNotForEachPartition(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := open(t, 0)
		var logged bytes.Buffer // a handler writes one line at a time
		log := slog.New(slog.NewTextHandler(&logged, nil))
		store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "view.db"))
		must(t, err)
		v, err := view.New(t.Context(), view.Config{Kafka: s.Config(), Topics: s.Topics, Incarnation: s.layout.Incarnation, Store: absent{store}, Log: log})
		must(t, err)
		stopView := background(t, v.Run)
		stopJobs := background(t, jobs.New(s.Client, jobs.Config{Kafka: s.Config(), Topics: s.Topics, Layout: s.layout, View: v, Name: "api-1", Log: log}).Run)
		kafkatest.Pass(30 * time.Second)
		stopJobs()
		stopView()
		must(t, v.Close())
		if n := strings.Count(logged.String(), "level=WARN"); n != 1 || !strings.Contains(logged.String(), "the read model cannot be written") {
			t.Errorf("got %d warnings, want one that the read model cannot be written:\n%s", n, &logged)
		}
	})
}
