package ctl

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

// deadLetters are the commands for dead letters.
type deadLetters struct {
	List   listDeadLetters `cmd:"" help:"List dead letters, the latest failure first."`
	Show   showDeadLetter  `cmd:"" help:"Show a dead letter with the record that failed."`
	Replay replay          `cmd:"" help:"Replay dead letters: each order resumes at the step that failed."`
}

// filter selects dead letters.
type filter struct {
	Step   string `help:"Only dead letters that failed at this step."`
	Reason string `help:"Only dead letters that failed for this reason, such as no-route."`
}

// all yields the dead letters in a state, page by page.
func (f filter) all(ctx context.Context, api *client.Client, state string) iter.Seq2[client.DeadLetter, error] {
	return func(yield func(client.DeadLetter, error) bool) {
		q := client.DeadLetterQuery{DeadLetterFilter: client.DeadLetterFilter{Step: f.Step, Reason: f.Reason}, Limit: 100}
		if state != "" {
			q.States = []string{state}
		}
		for {
			page, next, err := api.DeadLetters(ctx, q)
			if err != nil {
				yield(client.DeadLetter{}, misused(explain(err)))
				return
			}
			for _, l := range page {
				if !yield(l, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			if next == q.Cursor {
				yield(client.DeadLetter{}, errors.New("the API returned the same page twice"))
				return
			}
			q.Cursor = next
		}
	}
}

// misused turns a 400 into a usage error: only the API has the list of steps, and checks filters.
func misused(err error) error {
	if p, ok := errors.AsType[*client.Problem](err); ok && p.Status == http.StatusBadRequest {
		return config.Usage(err)
	}
	return err
}

type listDeadLetters struct {
	filter
	State string `enum:"open,lost,replayed,closed,all" default:"open" help:"Only dead letters in this state: open, replayed (a replay is under way), closed (the order has ended), lost (the record was deleted), or all."`
}

// Run prints a line for each dead letter.
func (c *listDeadLetters) Run(ctx context.Context, p *printer, api *client.Client) error {
	state := c.State
	if state == "all" {
		state = ""
	}
	for l, err := range c.all(ctx, api, state) {
		if err != nil {
			return err
		}
		if err := p.result(deadLetterLine(l), l); err != nil {
			return err
		}
	}
	return nil
}

func deadLetterLine(l client.DeadLetter) string {
	who, step := l.Order, l.Step
	if who == "" {
		who, step = "(no order)", "-"
	}
	return fmt.Sprintf("%-8s %-9s %-9s %-18s %d× %s %s", l.ID, l.State, step, l.Reason, l.Attempts, l.LastFailed.UTC().Format(time.RFC3339), who)
}

type showDeadLetter struct {
	ID string `arg:"" help:"ID of the dead letter, such as 3-124."`
}

// Run shows a dead letter.
func (c *showDeadLetter) Run(ctx context.Context, p *printer, api *client.Client) error {
	l, err := api.DeadLetter(ctx, c.ID)
	if replayable(err) {
		return config.Hint(err, "replay it with: ordersctl dlq replay "+c.ID)
	}
	if err != nil {
		return explain(err)
	}
	lines := []string{
		deadLetterLine(l),
		"  why      " + l.Class + ": " + l.Message,
		"  failed   first " + l.FirstFailed.UTC().Format(time.RFC3339) + ", last " + l.LastFailed.UTC().Format(time.RFC3339),
		"  worker   " + l.Worker,
		fmt.Sprintf("  replays  %d", l.Replays),
	}
	if r := l.Record; r != nil {
		lines = append(lines, fmt.Sprintf("  key      %s", r.Key), fmt.Sprintf("  value    (%s)", r.Encoding), r.Value)
	}
	return p.result(strings.Join(lines, "\n"), l)
}
