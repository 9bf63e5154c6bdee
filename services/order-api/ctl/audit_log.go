package ctl

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

// auditLog is the command that shows the audit trail.
type auditLog struct {
	Actor   string `help:"Only acts of this actor, such as operator:ann."`
	Act     string `help:"Only acts of this kind: refund, cancel, replay, sign-in, key-change or denied."`
	Target  string `help:"Only acts on this target, such as order/ID or dead-letter/3-124."`
	Outcome string `enum:",done,refused,unknown" default:"" placeholder:"OUTCOME" help:"Only acts with this outcome: done, refused or unknown."`
	From    string `placeholder:"TIME" help:"Only acts that began at this time or later, such as 2026-03-01T12:00:00Z."`
	To      string `placeholder:"TIME" help:"Only acts that began before this time."`
	Limit   int    `default:"50" help:"Number of acts, the newest first. 0: all."`
}

// Run prints a line for each act.
func (c *auditLog) Run(ctx context.Context, p *printer, api *client.Client) error {
	from, to, err := period(c.From, c.To)
	switch {
	case err != nil:
		return err
	case c.Limit < 0:
		return config.Usage(errNegativeLimit)
	}
	for page, err := range pages(c.Limit, func(limit int, cursor string) ([]client.Act, string, error) {
		return api.Acts(ctx, client.ActQuery{
			Actor: c.Actor, Act: c.Act, Target: c.Target, Outcome: c.Outcome, From: from, To: to, Limit: limit, Cursor: cursor,
		})
	}) {
		if err != nil {
			return err
		}
		for _, a := range page {
			if err := p.result(actLine(a), a); err != nil {
				return err
			}
		}
	}
	return nil
}

func actLine(a client.Act) string {
	outcome := strings.TrimSpace(a.Outcome + " " + a.Problem)
	line := fmt.Sprintf("%s  %-10s %-24s %-32s %s", a.At.UTC().Format(time.RFC3339), a.Act, cmp.Or(a.Actor, "(not signed in)"), a.Target, outcome)
	if a.Count > 1 {
		line += fmt.Sprintf(" %d×", a.Count)
	}
	if a.Reason != "" {
		line += fmt.Sprintf(" %q", a.Reason)
	}
	return line + strings.TrimRight("  "+a.Address, " ")
}
