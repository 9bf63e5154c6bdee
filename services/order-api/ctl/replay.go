package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

// replay is the command that replays dead letters.
type replay struct {
	IDs    []string      `arg:"" optional:"" name:"id" help:"IDs of dead letters, such as 3-124."`
	All    bool          `help:"Replay all open dead letters, or those that --step and --reason select."`
	Step   string        `help:"With --all: only dead letters that failed at this step."`
	Reason string        `help:"With IDs: why you replay them, for the audit trail. With --all: only dead letters that failed for this reason, such as no-route."`
	Note   string        `help:"Why you replay them, for the audit trail, also with --all."`
	Wait   time.Duration `help:"Wait this long for the orders to be confirmed. Those that are not confirmed by then count as failed. Default: do not wait."`
}

// The results of a replay.
const (
	sent        = "sent"         // without --wait, or if the dead letter has no order to follow
	alreadyDone = "already done" // the order was final before
	failedAgain = "failed again"
	unfinished  = "unfinished" // within --wait
	refused     = "not sent"
)

// sending is a dead letter that is replayed.
type sending struct {
	deadLetter client.DeadLetter
	number     int // of the replay
	result     string
	err        error // or nil
}

// Run replays dead letters, follows their orders, and prints a line for each. Replaying a dead
// letter twice has no effect.
func (c *replay) Run(ctx context.Context, p *printer, api *client.Client) error {
	if c.All == (len(c.IDs) > 0) || !c.All && c.Step != "" {
		return config.Usage(errors.New("give the IDs of dead letters, or --all, optionally with --step and --reason"))
	}
	why := c.Note
	if !c.All {
		why = cmp.Or(c.Note, c.Reason)
	}
	all, err := c.collect(ctx, api)
	if err != nil {
		return err
	}
	p.show(len(all))
	defer p.hide()
	// All are sent before the first is waited for, because the workers process them concurrently.
	for _, one := range all {
		if one.send(ctx, api, why); unreachable(one.err) {
			return explain(one.err)
		}
	}
	if c.Wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Wait)
		defer cancel()
	}
	tally := map[string]int{}
	for _, one := range all {
		if c.Wait > 0 && one.result == sent && one.deadLetter.Order != "" {
			one.follow(ctx, api)
		}
		tally[one.result]++
		p.bar.step(one.err != nil)
		if err := one.print(p); err != nil {
			return err
		}
	}
	return sum(p, tally, len(all))
}

// collect reads all selected dead letters before the first is replayed: a replay changes the list.
func (c *replay) collect(ctx context.Context, api *client.Client) ([]*sending, error) {
	var all []*sending
	for l, err := range c.chosen(ctx, api) {
		if err != nil {
			return nil, err
		}
		all = append(all, &sending{deadLetter: l})
	}
	return all, nil
}

// chosen yields the selected dead letters.
func (c *replay) chosen(ctx context.Context, api *client.Client) func(func(client.DeadLetter, error) bool) {
	if c.All {
		return filter{c.Step, c.Reason}.all(ctx, api, "open")
	}
	return func(yield func(client.DeadLetter, error) bool) {
		for _, id := range c.IDs {
			l, err := api.DeadLetter(ctx, id)
			if replayable(err) { // the API recreates it from its order
				p, _ := errors.AsType[*client.Problem](err)
				l, err = client.DeadLetter{ID: id, Order: p.Order}, nil
			}
			if !yield(l, explain(err)) {
				return
			}
		}
	}
}

func (s *sending) send(ctx context.Context, api *client.Client, why string) {
	s.result = sent
	s.err = withRetry(ctx, func() (err error) {
		s.number, err = api.Replay(ctx, s.deadLetter.ID, why)
		return err
	})
	if s.err == nil {
		return
	}
	s.result = refused
	if p, ok := errors.AsType[*client.Problem](s.err); !ok || p.Status != http.StatusConflict {
		return
	}
	// The order is final, or another replay of it is in progress: only the first closes the dead
	// letter.
	if now, err := api.DeadLetter(ctx, s.deadLetter.ID); err == nil && now.State == "closed" {
		s.result, s.err = alreadyDone, nil
	}
}

// follow waits for the final status that results from this replay.
func (s *sending) follow(ctx context.Context, api *client.Client) {
	for change, err := range api.Watch(ctx, s.deadLetter.Order, -1) {
		switch {
		case err != nil:
			s.result, s.err = unfinished, errors.New("the order was not final in time")
			return
		case change.Replay != s.number || !final(change.Status):
		case change.Reason == "already-done" || change.Reason == "conflict":
			s.result = alreadyDone
			return
		case change.Status == confirmed:
			s.result = confirmed
			return
		default:
			s.result, s.err = failedAgain, fmt.Errorf("the order is %s again: %s", change.Status, change.Reason)
			return
		}
	}
}

func (s *sending) print(p *printer) error {
	if s.err != nil {
		p.printError(fmt.Errorf("dead letter %s: %w", s.deadLetter.ID, s.err))
	}
	line := struct {
		DeadLetter string `json:"dead_letter"`
		Order      string `json:"order,omitempty"`
		Replay     int    `json:"replay,omitempty"`
		Result     string `json:"result"`
	}{s.deadLetter.ID, s.deadLetter.Order, s.number, s.result}
	return p.result(strings.Join(drop([]string{s.deadLetter.ID, s.deadLetter.Order, s.result}, ""), " "), line)
}

// sum prints how many dead letters had which result; the counts add up to all.
func sum(p *printer, tally map[string]int, all int) error {
	var parts []string
	for _, result := range slices.Sorted(maps.Keys(tally)) {
		parts = append(parts, fmt.Sprintf("%s %d", result, tally[result]))
	}
	text := fmt.Sprintf("dead letters %d: %s", all, strings.Join(parts, ", "))
	if all == 0 {
		text = "no dead letters to replay"
	}
	if tally[failedAgain]+tally[unfinished]+tally[refused] > 0 {
		return errors.New(text)
	}
	p.note(text)
	return nil
}
