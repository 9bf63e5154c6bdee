package trail

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/wire"
)

// The limits of one minute, of one instance of the API. At most maxWritten + maxSources records are
// written, about 200 KB.
const (
	minute     = time.Minute
	perSource  = 30  // attempts that are written one by one
	maxWritten = 300 // those of all sources together
	maxSources = 100 // with a count of their own; the rest are counted together, without actor and address
)

// attempts counts refused attempts since the last summary.
type attempts struct {
	mu      sync.Mutex
	written int
	sources map[source]*counted
}

// source is who attempts what. A guest is known by the network only.
type source struct{ actor, address, kind, reason string }

// counted is what a source has attempted.
type counted struct {
	written int
	rest    int      // attempts that were not written
	last    wire.Act // of those
}

// Attempt writes an attempt that was refused, such as a failed sign-in, with the problem that it was
// answered with. It blocks for 2 s at most. Above 30 attempts a minute of one actor, for one kind
// and reason, the attempt is counted instead, and so above 300 of all actors; Run writes the counts.
func (t *Trail) Attempt(ctx context.Context, a Act, problem string) {
	refused := t.act(ctx, a)
	refused.Outcome, refused.Problem = wire.Refused, problem
	if t.attempts.count(refused) {
		return
	}
	if err := t.write(ctx, endWithin, refused); err != nil {
		t.log.LogAttrs(ctx, slog.LevelWarn, "a refused attempt is not in the audit trail", slog.String(telemetry.Act, a.Kind),
			slog.String(telemetry.Error, err.Error()))
	}
}

// Run writes, every minute, how many attempts were not written one by one. It returns nil when ctx
// is done, after it has written the last counts.
func (t *Trail) Run(ctx context.Context) error {
	ticker := time.NewTicker(minute)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
		for _, a := range t.attempts.summary() {
			if err := t.write(ctx, endWithin, a); err != nil {
				t.log.LogAttrs(ctx, slog.LevelWarn, "refused attempts are not in the audit trail", slog.Int(telemetry.Count, a.Count),
					slog.String(telemetry.Error, err.Error()))
			}
		}
	}
	return nil
}

// count counts an attempt. It reports whether the attempt is above a limit.
func (a *attempts) count(refused wire.Act) (above bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.of(&refused)
	if c.written < perSource && a.written < maxWritten {
		c.written++
		a.written++
		return false
	}
	c.rest++
	c.last = refused
	return true
}

// of returns the counts of an attempt's source. The caller holds mu. If there are too many sources,
// it is that of all others, and the attempt loses what is not common to them.
func (a *attempts) of(refused *wire.Act) *counted {
	by := source{refused.Cause.Actor.String(), refused.Address, refused.Kind, refused.Reason}
	if by.actor != "" {
		by.address = ""
	}
	if a.sources[by] == nil && len(a.sources) >= maxSources {
		by = source{kind: refused.Kind}
		refused.Cause, refused.Target, refused.Reason, refused.Address = order.Cause{}, "", "", ""
	}
	if a.sources == nil {
		a.sources = map[source]*counted{}
	}
	if a.sources[by] == nil {
		a.sources[by] = &counted{}
	}
	return a.sources[by]
}

// summary returns an act for each source of which attempts were not written, and forgets all.
func (a *attempts) summary() (all []wire.Act) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.sources {
		if c.rest > 0 {
			c.last.Count = c.rest
			all = append(all, c.last)
		}
	}
	a.written, a.sources = 0, nil
	return all
}
