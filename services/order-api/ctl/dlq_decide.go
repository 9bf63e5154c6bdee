package ctl

import (
	"context"
	"errors"
	"fmt"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

type discardDeadLetters struct {
	IDs    []string `arg:"" optional:"" name:"id" help:"IDs of dead letters, such as 3-124."`
	All    bool     `help:"All dead letters that are open, lost or parked, foreign ones too."`
	Reason string   `required:"" placeholder:"WHY" help:"Why you discard them, for the audit trail."`
	DryRun bool     `name:"dry-run" help:"Print the dead letters, and change nothing."`
	filter
}

// Run discards dead letters.
func (c *discardDeadLetters) Run(ctx context.Context, p *printer, api *client.Client) error {
	ids, err := choice{c.IDs, c.All, c.filter}.chosen(ctx, api, "open", "lost", "parked")
	if err != nil {
		return err
	}
	return decide(ctx, p, ids, c.DryRun, "discarded", func(id string) error {
		_, err := api.Discard(ctx, id, c.Reason)
		return err
	})
}

type restoreDeadLetters struct {
	IDs    []string `arg:"" optional:"" name:"id" help:"IDs of dead letters, such as 3-124."`
	All    bool     `help:"All discarded dead letters."`
	Reason string   `placeholder:"WHY" help:"Why you restore them, for the audit trail."`
	DryRun bool     `name:"dry-run" help:"Print the dead letters, and change nothing."`
	filter
}

// Run restores discarded dead letters.
func (c *restoreDeadLetters) Run(ctx context.Context, p *printer, api *client.Client) error {
	ids, err := choice{c.IDs, c.All, c.filter}.chosen(ctx, api, "discarded")
	if err != nil {
		return err
	}
	return decide(ctx, p, ids, c.DryRun, "restored", func(id string) error {
		_, err := api.Restore(ctx, id, c.Reason)
		return err
	})
}

// decide carries out a decision about each dead letter, and prints a line for each. It goes on after a
// refusal, and stops when the API cannot be reached or the role may not decide.
func decide(ctx context.Context, p *printer, ids []string, dry bool, done string, one func(id string) error) error {
	p.show(len(ids))
	defer p.hide()
	failed := 0
	for _, id := range ids {
		result := done
		var err error
		if dry {
			result = "would be " + done
		} else {
			err = withRetry(ctx, func() error { return one(id) })
		}
		if err != nil && (len(ids) == 1 || unreachable(err) || notAllowed(err)) {
			return explain(err)
		}
		if err != nil {
			failed++
			result = refused
			p.printError(fmt.Errorf("dead letter %s: %w", id, err))
		}
		p.bar.step(err != nil)
		if err := p.result(id+" "+result, map[string]string{"dead_letter": id, "result": result}); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d dead letters were refused", failed, len(ids))
	}
	if len(ids) == 0 {
		p.note("no dead letters match")
	}
	return nil
}

type assignCause struct {
	Cause   string `arg:"" help:"ID of the cause; dlq groups lists them."`
	To      string `placeholder:"NAME" xor:"whom" help:"Who looks into it: a person or a team. Default: you."`
	Release bool   `xor:"whom" help:"No one looks into it."`
}

// Run notes who looks into a cause.
func (c *assignCause) Run(ctx context.Context, p *printer, api *client.Client) error {
	var a *client.Assigned
	err := withRetry(ctx, func() (err error) {
		if c.Release {
			return api.Release(ctx, c.Cause)
		}
		a, err = api.Assign(ctx, c.Cause, c.To)
		return err
	})
	text := c.Cause + " is assigned to no one"
	if a != nil {
		text = c.Cause + " is assigned to " + a.To
	}
	if err != nil {
		return explain(err)
	}
	return p.result(text, map[string]any{"cause": c.Cause, "assigned": a})
}

type noteDeadLetter struct {
	ID      string `arg:"" help:"ID of the dead letter, such as 3-124; with --on-cause the ID of a cause."`
	Text    string `arg:"" help:"Text of the note."`
	OnCause bool   `name:"on-cause" help:"Write the note on a cause; dlq groups lists their IDs."`
}

// Run writes a note. It does not repeat the request: that could write the note twice.
func (c *noteDeadLetter) Run(ctx context.Context, p *printer, api *client.Client) error {
	if c.Text == "" {
		return config.Usage(errors.New("the text of the note must not be empty"))
	}
	write := api.Note
	if c.OnCause {
		write = api.NoteGroup
	}
	n, err := write(ctx, c.ID, c.Text)
	if err != nil {
		return explain(err)
	}
	return p.result(c.ID+" noted", n)
}
