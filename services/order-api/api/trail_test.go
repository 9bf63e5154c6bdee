package api_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/api"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/identity/apikey"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// firstAct waits for the first act of the audit trail.
func firstAct(t *testing.T, k *kafkatest.Kafka) wire.Act {
	t.Helper()
	cl, err := k.Config().Connect(t.Context(), kgo.ConsumeTopics(k.Topics.Desk), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			act, err := wire.ReadAct(r)
			if err != nil {
				t.Fatal(err)
			}
			return act
		}
	}
}

func TestChangedKeysAreInTheAuditTrail(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	cfg := settings(t, k)
	cfg.Auth, cfg.APIKeys = api.AuthKeys, filepath.Join(t.TempDir(), "keys.yaml")
	if err := apikey.Init(cfg.APIKeys); err != nil {
		t.Fatal(err)
	}
	start(t, cfg)
	_, key, err := apikey.Create(cfg.APIKeys, identity.Principal{Name: "Ann", Role: identity.Operator}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	act := firstAct(t, k)
	who := order.Actor{Kind: order.ActorService, ID: "order-api"}
	if act.Kind != "key-change" || act.Reason != "added "+key.ID || act.Outcome != wire.Done || act.Cause.Actor != who {
		t.Errorf("got %+v, want the key %s added, by %v", act, key.ID, who)
	}
}
