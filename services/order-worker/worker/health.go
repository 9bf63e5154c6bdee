package worker

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/orders/services/order-worker/internal/group"
	"example.com/orders/services/order-worker/internal/partition"
	"example.com/orders/shared/config"
	"example.com/orders/shared/serve"
)

// stuck is how long an order may be in flight. Everything that it waits for has a much shorter timeout.
const stuck = 5 * time.Minute

// probes are the routes of --health, for the clients that the settings allow.
func probes(access config.Access, ready *atomic.Bool, m *group.Member, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz/live", live(m.Partitions))
	mux.HandleFunc("GET /healthz/ready", able(ready, m.Partitions, m.BlockedBy))
	mux.Handle("GET /metrics", metrics)
	return serve.Profiles(access, mux)
}

// health serves the probes for the configuration, as serve.Health does.
func health(ctx context.Context, cfg Config, probes http.Handler) (run func(context.Context) error, err error) {
	if cfg.Probes != nil {
		cfg.Probes(probes)
	}
	return serve.Health(ctx, cfg.Health, cfg.Access, probes)
}

// condition is the health of one partition, as JSON.
type condition struct {
	Partition int32           `json:"partition"`
	State     partition.State `json:"state"`
	InFlight  int             `json:"in_flight"`
	Oldest    string          `json:"oldest,omitempty"` // how long the oldest order has been in flight
	Reason    string          `json:"reason,omitempty"` // why it is blocked, else why it is in this state
}

func conditions(all []partition.Status) []condition {
	found := []condition{}
	for _, p := range all {
		c := condition{Partition: p.Number, State: p.State, InFlight: p.InFlight}
		if p.Oldest > 0 {
			c.Oldest = p.Oldest.Round(time.Second).String()
		}
		if p.Blocked != nil {
			c.Reason = p.Blocked.Error()
		} else if p.Reason != nil {
			c.Reason = p.Reason.Error()
		}
		found = append(found, c)
	}
	return found
}

// able answers 503 before the worker is a member of its group, while every partition whose restore has ended is
// blocked, and when the whole worker is blocked.
func able(ready *atomic.Bool, partitions func() []partition.Status, blockedBy func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		all, reason := partitions(), blockedBy()
		answer := struct {
			Partitions []condition `json:"partitions"`
			Reason     string      `json:"reason,omitempty"` // why the whole worker is blocked
		}{Partitions: conditions(all)}
		if reason != nil {
			answer.Reason = reason.Error()
		}
		blocked, other := 0, 0
		for _, p := range all {
			switch {
			case p.Blocked != nil:
				blocked++
			case p.State != partition.Assigned && p.State != partition.Restoring:
				other++
			}
		}
		respond(w, ready.Load() && reason == nil && (blocked == 0 || other > 0), answer)
	}
}

// live answers 503 when an order is stuck: a new process would resume it. A blocked partition is no
// reason: a new process would block it, too.
func live(partitions func() []partition.Status) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		all, alive := partitions(), true
		for _, p := range all {
			alive = alive && p.Oldest <= stuck
		}
		respond(w, alive, struct {
			Partitions []condition `json:"partitions"`
		}{conditions(all)})
	}
}

func respond(w http.ResponseWriter, well bool, answer any) {
	w.Header().Set("Content-Type", "application/json")
	if !well {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	// The client may be gone.
	_ = json.NewEncoder(w).Encode(answer)
}
