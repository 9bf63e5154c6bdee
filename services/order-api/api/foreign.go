package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/foreign/expiry"
	"example.com/orders/services/order-api/internal/foreign/sender"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/kafka"
)

// foreignRules are the settings of the dead letters of other programs, checked as far as that is
// possible without Kafka.
func (cfg *Config) foreignRules() (sender.Rules, error) {
	rules := sender.Rules{Ours: cfg.Topics, DeadLetters: cfg.DLQTopics, ReplayTo: cfg.ReplayTo}
	for i, name := range cfg.DLQTopics {
		if slices.Contains(cfg.DLQTopics[:i], name) {
			return rules, fmt.Errorf("--dlq-topic: %s is there twice", name)
		}
		if err := rules.CheckSource(name); err != nil {
			return rules, fmt.Errorf("--dlq-topic: %w", err)
		}
	}
	for from, to := range cfg.ReplayTo {
		if !slices.Contains(cfg.DLQTopics, from) {
			return rules, fmt.Errorf("--replay-to %s=%s: %q is not a topic of --dlq-topic", from, to, from)
		}
		if err := rules.CheckTarget(to); err != nil {
			return rules, fmt.Errorf("--replay-to %s=%s: %w", from, to, err)
		}
	}
	if cfg.DLQWarning < 0 {
		return rules, errors.New("--dlq-warning must not be negative")
	}
	return rules, nil
}

// watchExpiry watches when Kafka deletes dead letters of other programs.
func (cfg *Config) watchExpiry(cl *kgo.Client, v *view.View) *expiry.Watch {
	oldest := func(ctx context.Context, topic string) (id string, at time.Time, err error) {
		l, err := v.OldestForeign(ctx, topic)
		if err != nil || l == nil {
			return "", time.Time{}, err
		}
		return l.ID(), l.LastFailed, nil
	}
	return expiry.New(cl, cfg.DLQTopics, cfg.DLQWarning, oldest, cfg.Log)
}

// checkForeign is an error if a topic of the rules does not exist, or this program may not use it.
func checkForeign(ctx context.Context, cl *kgo.Client, rules sender.Rules) error {
	var faults []error
	for _, g := range rules.Grants() {
		flag := "--dlq-topic"
		if !slices.Contains(rules.DeadLetters, g.Name) {
			flag = "--replay-to"
		}
		if _, err := kafka.CheckExternal(ctx, cl, g); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", flag, err))
		}
	}
	return errors.Join(faults...)
}
