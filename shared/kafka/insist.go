package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Insist tries again and again, a second apart, while Kafka is away, and tells of each failure. Only what no patience
// helps ends it: ErrGone, a record that is too large, and the end of ctx, whose cause it returns.
func Insist(ctx context.Context, try func() error, away func(error)) error {
	for {
		err := try()
		switch {
		case err == nil, errors.Is(err, ErrGone), errors.Is(err, kerr.MessageTooLarge):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		away(err)
		if !pause(ctx, time.Second) {
			return context.Cause(ctx)
		}
	}
}
