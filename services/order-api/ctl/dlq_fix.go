package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

type fixDeadLetters struct {
	choice
	pace
	attachment
	Patch    string `required:"" placeholder:"FILE" help:"File with a JSON Patch (RFC 6902), a list of operations; - reads stdin. A test operation chooses: where it does not hold, nothing is changed."`
	Override bool   `help:"Also fix parked dead letters: those that were replayed 5 times without success."`
	Show     int    `default:"10" help:"Number of dead letters whose differences are shown. 0: all."`
	Reason   string `placeholder:"WHY" help:"Why you fix them, for the audit trail."`
	Yes      bool   `short:"y" help:"Start the job without asking."`
	DryRun   bool   `name:"dry-run" help:"Show what the patch would do, and change nothing."`
}

// Help has an example.
func (*fixDeadLetters) Help() string {
	return `Applies the patch to the order as it was placed: customer, address, service, items and note. Shows what it would do, asks, and starts a replay job that stores each edit and replays it. Dead letters that the patch does not change are left out.

A patch that corrects a country code:

  [{"op": "test", "path": "/ship_to/country", "value": "UK"},
   {"op": "replace", "path": "/ship_to/country", "value": "GB"}]

Exit status: as for dlq replay; 1 if the patch changes nothing.`
}

// Run previews a patch, asks, and starts a replay job with it.
func (c *fixDeadLetters) Run(ctx context.Context, p *printer, api *client.Client, stdin io.Reader) error {
	s, err := c.selection()
	if err != nil {
		return err
	}
	if c.Show < 0 || c.Patch == "-" && !c.Yes && !c.DryRun {
		return config.Usage(errors.New("--show must not be negative, and --patch - needs --yes or --dry-run: stdin cannot be the answer, too"))
	}
	patch, err := readAll(c.Patch, stdin)
	if err != nil {
		return err
	}
	if !json.Valid(patch) {
		return config.Usage(fmt.Errorf("%s: is no valid JSON: %s", c.Patch, fault(patch)))
	}
	preview, err := c.preview(ctx, p, api, client.Fix{Selection: s, Patch: patch, Override: c.Override})
	switch {
	case err != nil:
		return err
	case preview.Changed == 0:
		return errors.New("the patch changes none of the selected dead letters")
	case c.DryRun:
		return nil
	}
	if !c.Yes {
		if err := confirm(p, stdin, fmt.Sprintf("Edit and replay %s?", several(preview.Changed, "dead letter"))); err != nil {
			return err
		}
	}
	return c.start(ctx, p, api, client.NewReplayJob{
		Selection: s, Patch: patch, Rate: c.Rate, Ramp: c.Ramp.steps, StopAbove: float64(c.StopAbove),
		PauseOnNewCause: c.NewCause, Override: c.Override, Reason: c.Reason,
	})
}

// preview prints the differences of the first dead letters that the patch changes or cannot change,
// and the counts of all.
func (c *fixDeadLetters) preview(ctx context.Context, p *printer, api *client.Client, f client.Fix) (counts client.FixPreview, err error) {
	p.count(0, "previewing the patch")
	defer p.hide()
	for page, err := range pages(c.Show, func(_ int, cursor string) ([]client.FixResult, string, error) {
		preview, err := api.PreviewFix(ctx, f, cursor)
		if cursor == "" {
			counts = preview
		}
		return preview.DeadLetters, preview.Next, err
	}) {
		if err != nil {
			return counts, err
		}
		for _, r := range page {
			if err := p.result(fixText(r), r); err != nil {
				return counts, err
			}
		}
	}
	p.note(fmt.Sprintf("%d selected: %s", counts.Total, counted([]count{
		{counts.Changed, "to change"},
		{counts.Unchanged, "unchanged"},
		{counts.NotMatched, "not matched by a test"},
		{counts.Invalid, "invalid afterwards"},
		{counts.Locked, "locked by their invoice"},
		{counts.NotEditable, "not editable"},
	})))
	return counts, nil
}

func fixText(r client.FixResult) string {
	lines := append([]string{r.ID + " " + r.Result}, diff(r.Changes)...)
	for _, e := range r.Errors {
		lines = append(lines, "    "+strings.TrimSpace(e.Pointer+" "+e.Detail))
	}
	return strings.Join(lines, "\n")
}
