package worker

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/orders/services/order-worker/internal/consumer"
	"example.com/orders/shared/serve"
)

// stuck is how long an order may be in hand. All that it waits for has a time-out that is much shorter.
const stuck = 5 * time.Minute

// health answers whether the process lives, whether it has been given partitions, or told that there are none for it, and
// what it has done.
func health(ctx context.Context, address string, ready *atomic.Bool, partitions func() []consumer.Partition, metrics http.Handler) error {
	if address == "" {
		return nil
	}
	ln, err := serve.Listen(ctx, address, "--health", "ORDERS_HEALTH")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz/live", live(partitions))
	mux.HandleFunc("GET /healthz/ready", able(ready, partitions))
	mux.Handle("GET /metrics", metrics)
	return serve.Run(ctx, ln, mux, time.Second)
}

// trouble is a partition on which something does not go on.
type trouble struct {
	Partition int32  `json:"partition"`
	InHand    string `json:"in_hand,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// able answers 503 before the group has answered, and while this worker works on none of the partitions that it was assigned.
// It names those that are blocked.
func able(ready *atomic.Bool, partitions func() []consumer.Partition) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		all := partitions()
		answer := struct {
			Assigned int       `json:"assigned"`
			Blocked  []trouble `json:"blocked"`
		}{len(all), []trouble{}}
		for _, p := range all {
			if p.Held != nil {
				answer.Blocked = append(answer.Blocked, trouble{Partition: p.Number, Reason: p.Held.Error()})
			}
		}
		w.Header().Set("Content-Type", "application/json")
		if !ready.Load() || len(all) > 0 && len(answer.Blocked) == len(all) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		// Who asked may be gone.
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// live answers 503 when an order is stuck: a new process would get on with it. It names the partitions that are held, too, which
// a new process would hold like this one.
func live(partitions func() []consumer.Partition) http.HandlerFunc {
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
