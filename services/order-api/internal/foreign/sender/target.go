package sender

import (
	"context"
	"fmt"

	"example.com/orders/services/order-api/internal/foreign"
)

// By says whose word a target is.
type By string

// Whose word a target can be.
const (
	ByHeader By = "header" // a header of the dead letter names the topic
	ByFlag   By = "flag"   // --replay-to names it, and the header does not count
)

// Target returns the topic that dead letters of a topic are replayed to whose headers name another one,
// or none. It is foreign.ErrNoTarget if nothing says where they belong or nothing may be replayed
// there. It does not ask Kafka.
func (r *Rules) Target(deadLetters, named string) (topic string, by By, err error) {
	if to := r.ReplayTo[deadLetters]; to != "" {
		return to, ByFlag, nil
	}
	if named == "" {
		return "", "", foreign.ErrNoTarget
	}
	if err := r.CheckTarget(named); err != nil {
		return "", "", fmt.Errorf("%w: %w", foreign.ErrNoTarget, err)
	}
	return named, ByHeader, nil
}

// Target is that of the rules. It is foreign.ErrNoTarget, too, if the topic does not exist or cannot be
// written; another error may pass.
func (s *Sender) Target(ctx context.Context, deadLetters, named string) (topic string, by By, err error) {
	if topic, by, err = s.rules.Target(deadLetters, named); err != nil {
		return "", "", err
	}
	t, err := s.find(ctx, written(topic))
	if err == nil && t.err != nil {
		err = fmt.Errorf("%w: %w", foreign.ErrNoTarget, t.err)
	}
	return topic, by, err
}
