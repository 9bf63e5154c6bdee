package worker

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/orders/services/order-worker/internal/group"
	"example.com/orders/shared/config"
	"example.com/orders/shared/serve"
)

// stuck is how long an order may be in hand. All that it waits for has a time-out that is much shorter.
const stuck = 5 * time.Minute

// health answers whether the process lives, whether it has been given partitions, or told that there are none for it, and
// what it has done.
func health(ctx context.Context, address string, access config.Access, ready *atomic.Bool, c *group.Member, metrics http.Handler) error {
	if address == "" {
		return nil
	}
	ln, err := serve.Listen(ctx, address, "--health", "ORDERS_HEALTH", access)
	if err != nil {
		return err
	}
	return serve.Run(ctx, ln, probes(access, ready, c, metrics), time.Second)
}

// probes are the routes, for whom the settings let in.
func probes(access config.Access, ready *atomic.Bool, c *group.Member, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz/live", live(c.Partitions))
	mux.HandleFunc("GET /healthz/ready", able(ready, c.Partitions, c.BlockedBy))
	mux.Handle("GET /metrics", metrics)
	return serve.Guard(access, mux)
}

// trouble is a partition on which something does not go on.
type trouble struct {
	Partition int32  `json:"partition"`
	InHand    string `json:"in_hand,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// able answers 503 before the group has answered, while this worker works on none of the partitions that it was assigned, and
// once it is blocked as a whole. It names what is blocked, and why.
func able(ready *atomic.Bool, partitions func() []group.Partition, blockedBy func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		all, reason := partitions(), blockedBy()
		answer := struct {
			Assigned int       `json:"assigned"`
			Blocked  []trouble `json:"blocked"`
			Reason   string    `json:"reason,omitempty"`
		}{len(all), []trouble{}, ""}
		for _, p := range all {
			if p.Held != nil {
				answer.Blocked = append(answer.Blocked, trouble{Partition: p.Number, Reason: p.Held.Error()})
			}
		}
		if reason != nil {
			answer.Reason = reason.Error()
		}
		w.Header().Set("Content-Type", "application/json")
		if !ready.Load() || reason != nil || len(all) > 0 && len(answer.Blocked) == len(all) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		// Who asked may be gone.
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// live answers 503 when an order is stuck: a new process would get on with it. It names the partitions that are held, too, which
// a new process would hold like this one.
func live(partitions func() []group.Partition) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		answer := struct {
			Stuck []trouble `json:"stuck"`
			Held  []trouble `json:"held"`
		}{[]trouble{}, []trouble{}}
		for _, p := range partitions() {
			if p.Oldest > stuck {
				answer.Stuck = append(answer.Stuck, trouble{Partition: p.Number, InHand: p.Oldest.Round(time.Second).String()})
			}
			if p.Held != nil {
				answer.Held = append(answer.Held, trouble{Partition: p.Number, Reason: p.Held.Error()})
			}
		}
		w.Header().Set("Content-Type", "application/json")
		if len(answer.Stuck) > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		// Who asked may be gone.
		_ = json.NewEncoder(w).Encode(answer)
	}
}
