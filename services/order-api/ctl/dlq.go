package ctl

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

// deadLetters are the commands for dead letters.
type deadLetters struct {
	List    listDeadLetters    `cmd:"" help:"List dead letters, the latest failure first."`
	Groups  listGroups         `cmd:"" help:"List the causes of dead letters, the largest first."`
	Show    showDeadLetter     `cmd:"" help:"Show a dead letter with its history and the record that failed."`
	Replay  replay             `cmd:"" help:"Replay dead letters: each order resumes at the step that failed."`
	Jobs    replayJobs         `cmd:"" help:"List, watch and steer replay jobs."`
	Edit    editDeadLetter     `cmd:"" help:"Edit the order of a dead letter; its next replay uses the new version."`
	Fix     fixDeadLetters     `cmd:"" help:"Edit many dead letters by a JSON Patch, and replay them."`
	Discard discardDeadLetters `cmd:"" help:"Discard dead letters: replays leave them out. Nothing is deleted."`
	Restore restoreDeadLetters `cmd:"" help:"Make discarded dead letters open again."`
	Assign  assignCause        `cmd:"" help:"Note who looks into a cause."`
	Note    noteDeadLetter     `cmd:"" help:"Write a note on a dead letter or a cause."`
	Export  exportDeadLetters  `cmd:"" help:"Export dead letters as NDJSON or CSV."`
	Import  importDecisions    `cmd:"" help:"Carry out the decisions of an NDJSON file, such as an export of another cluster."`
}

// filter selects dead letters.
type filter struct {
	Step       string `placeholder:"STEP" help:"Only dead letters that failed at this step: shipping, invoice or email."`
	Class      string `enum:",transient,permanent,down" default:"" placeholder:"CLASS" help:"Only dead letters of this class: permanent (the same attempt would fail again), transient (the retries were used up) or down (a dependency was down)."`
	FailedWith string `name:"failed-with" placeholder:"REASON" help:"Only dead letters that failed for this reason, such as no-route."`
	Cause      string `placeholder:"ID" help:"Only dead letters of this cause; dlq groups lists the IDs."`
	Topic      string `placeholder:"TOPIC" help:"Only dead letters in this topic: that of the application, such as orders.dlq, or a foreign one."`
	Search     string `placeholder:"WORDS" help:"Only dead letters with these words in the message, the ID, the order's ID, or the customer's name or e-mail address. Beginnings of words will do. Needs the permission personal:read."`
	From       string `placeholder:"TIME" help:"Only dead letters whose last failure was at this time or later, such as 2026-03-01T12:00:00Z."`
	To         string `placeholder:"TIME" help:"Only dead letters whose last failure was before this time."`
}

// parse returns the filter as the API takes it.
func (f filter) parse() (client.DeadLetterFilter, error) {
	from, to, err := period(f.From, f.To)
	return client.DeadLetterFilter{
		Step: f.Step, Class: f.Class, Reason: f.FailedWith, Cause: f.Cause, Topic: f.Topic, Words: f.Search, From: from, To: to,
	}, err
}

// period reads the values of --from and --to. An empty one is the zero time.
func period(from, to string) (begin, end time.Time, err error) {
	for _, bound := range []struct {
		flag, text string
		into       *time.Time
	}{{"--from", from, &begin}, {"--to", to, &end}} {
		at, err := time.Parse(time.RFC3339, bound.text)
		if err != nil && bound.text != "" {
			return begin, end, config.Usage(fmt.Errorf("%s: must be a time such as 2026-03-01T12:00:00Z", bound.flag))
		}
		*bound.into = at
	}
	return begin, end, nil
}

// choice selects dead letters to act on.
type choice struct {
	IDs []string `arg:"" optional:"" name:"id" help:"IDs of dead letters, such as 3-124."`
	All bool     `help:"All dead letters of orders that can be replayed. Foreign ones need --topic."`
	filter
}

// selection returns the chosen dead letters as the API takes them. It is a usage error unless the
// command line has exactly one of IDs, --all and filters: a forgotten filter must not act on all.
func (c choice) selection() (client.Selection, error) {
	f, err := c.parse()
	filtered := !reflect.ValueOf(f).IsZero()
	given := 0
	for _, one := range []bool{len(c.IDs) > 0, c.All, filtered} {
		if one {
			given++
		}
	}
	switch {
	case err != nil:
		return client.Selection{}, err
	case given != 1:
		return client.Selection{}, config.Usage(errors.New("give the IDs of dead letters, or filters such as --cause, or --all"))
	case filtered:
		return client.Selection{Filter: &f}, nil
	}
	return client.Selection{IDs: c.IDs, All: c.All}, nil
}

// chosen returns the IDs of the chosen dead letters that are in one of the states. It reads all of
// them before the caller acts on the first, because an act changes the list.
func (c choice) chosen(ctx context.Context, api *client.Client, states ...string) ([]string, error) {
	s, err := c.selection()
	if err != nil || len(s.IDs) > 0 {
		return s.IDs, err
	}
	var f client.DeadLetterFilter
	if s.Filter != nil {
		f = *s.Filter
	}
	f.States = states
	var ids []string
	for page, err := range deadLetterPages(ctx, api, f, 0) {
		if err != nil {
			return nil, err
		}
		for _, l := range page {
			ids = append(ids, l.ID)
		}
	}
	return ids, nil
}

// pageSize is the size of a page, the largest that the API has.
const pageSize = 200

// pages yields the pages of a list, of at most this many elements in total; 0 is all. It ends after it
// has yielded an error.
func pages[T any](most int, read func(limit int, cursor string) (page []T, next string, err error)) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		left, limit := most, pageSize
		for cursor := ""; ; {
			if most > 0 {
				limit = min(left, pageSize)
			}
			page, next, err := read(limit, cursor)
			if err == nil && next != "" && next == cursor {
				err = errors.New("the API returned the same page twice")
			}
			if err != nil {
				yield(nil, misused(explain(err)))
				return
			}
			page = page[:min(limit, len(page))]
			left -= len(page)
			if !yield(page, nil) || next == "" || left == 0 && most > 0 {
				return
			}
			cursor = next
		}
	}
}

// deadLetterPages yields the dead letters of a filter page by page, at most this many; 0 is all.
func deadLetterPages(ctx context.Context, api *client.Client, f client.DeadLetterFilter, most int) iter.Seq2[[]client.DeadLetter, error] {
	return pages(most, func(limit int, cursor string) ([]client.DeadLetter, string, error) {
		return api.DeadLetters(ctx, client.DeadLetterQuery{DeadLetterFilter: f, Limit: limit, Cursor: cursor})
	})
}

// misused turns a 400 into a usage error: only the API has the list of steps, and checks filters.
func misused(err error) error {
	if p, ok := errors.AsType[*client.Problem](err); ok && p.Status == http.StatusBadRequest {
		return config.Usage(err)
	}
	return err
}

// allStates is a value of --state.
const allStates = "all"

// states selects dead letters by their state.
type states struct {
	State []string `enum:"open,lost,parked,replayed,closed,discarded,sent,all" default:"open,lost,parked" help:"Only dead letters in these states: open, lost (open, but the record was deleted), parked (replayed 5 times without success), replayed (a replay is in progress), closed (the order has ended), discarded, sent (foreign: sent to its topic), or all. Default: those that can be replayed."`
}

// listed returns the filter with the states.
func (s states) listed(f filter) (client.DeadLetterFilter, error) {
	listed, err := f.parse()
	if !slices.Contains(s.State, allStates) {
		listed.States = s.State
	}
	return listed, err
}

type listDeadLetters struct {
	filter
	states
	Limit int `placeholder:"N" help:"At most this many dead letters. Default: all."`
}

// Run prints a line for each dead letter.
func (c *listDeadLetters) Run(ctx context.Context, p *printer, api *client.Client) error {
	f, err := c.listed(c.filter)
	if err != nil {
		return err
	}
	if c.Limit < 0 {
		return config.Usage(errNegativeLimit)
	}
	t := p.table("ID", "STATE", "STEP", "REASON", "ATTEMPTS", "LAST FAILED", "ORDER", "CAUSE", "MESSAGE")
	for page, err := range deadLetterPages(ctx, api, f, c.Limit) {
		if err != nil {
			return err
		}
		for _, l := range page {
			if err := t.row(l, deadLetterCells(l)...); err != nil {
				return err
			}
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	return nil
}

var errNegativeLimit = errors.New("--limit must not be negative")

func deadLetterCells(l client.DeadLetter) []string {
	order, step := l.Order, l.Step
	if order == "" {
		order = "(no order)"
	}
	if step == "" {
		step = "-"
	}
	return []string{l.ID, l.State, step, l.Reason, fmt.Sprintf("%d×", l.Attempts), instant(l.LastFailed), order, l.Cause, l.Message}
}

// instant formats a time.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

type listGroups struct {
	ID string `arg:"" optional:"" name:"id" help:"Show this cause with its notes, and with what its orders have in common."`
	filter
	states
	Limit int `default:"50" help:"Number of causes, at most 200."`
}

// Run prints a line for each cause, or shows one.
func (c *listGroups) Run(ctx context.Context, p *printer, api *client.Client) error {
	if c.ID != "" {
		return c.showGroup(ctx, p, api)
	}
	f, err := c.listed(c.filter)
	if err != nil {
		return err
	}
	groups, total, err := api.Groups(ctx, f, c.Limit)
	if err != nil {
		return misused(explain(err))
	}
	t := p.table("CAUSE", "COUNT", "STEP", "REASON", "LAST FAILED", "FIRST FAILED", "BY STATE", "ASSIGNED", "MESSAGE")
	for _, g := range groups {
		if err := t.row(g, groupCells(g)...); err != nil {
			return err
		}
	}
	if total > len(groups) {
		p.note(fmt.Sprintf("%d more causes: see --limit", total-len(groups)))
	}
	return t.flush()
}

func groupCells(g client.Group) []string {
	assigned := "-"
	if g.Assigned != nil {
		assigned = g.Assigned.To
	}
	return []string{
		g.ID, fmt.Sprint(g.Total), cmp.Or(g.Step, g.Topic), g.Reason, instant(g.LastFailed), instant(g.FirstFailed), byState(g.Counts), assigned, g.Message,
	}
}

// showGroup prints all that is known of a cause. Filters do not apply.
func (c *listGroups) showGroup(ctx context.Context, p *printer, api *client.Client) error {
	g, err := api.Group(ctx, c.ID)
	if err != nil {
		return explain(err)
	}
	cells := groupCells(g.Group)
	lines := []string{
		strings.Join(cells[:4], " "), "  why      " + g.Message, "  failed   first " + cells[5] + ", last " + cells[4], "  states   " + cells[6],
	}
	if a := g.Assigned; a != nil {
		lines = append(lines, fmt.Sprintf("  assigned to %s by %s %s", a.To, a.By, instant(a.At)))
	}
	if g.Job != "" {
		lines = append(lines, "  job      "+g.Job)
	}
	for _, one := range g.Common {
		lines = append(lines, fmt.Sprintf("  common   %s %s: %.0f %% of these orders, %.0f %% of the confirmed ones", one.Field, one.Value, 100*one.Share, 100*one.Confirmed))
	}
	for _, n := range g.Notes {
		lines = append(lines, fact(n.At, fmt.Sprintf("note by %s: %s", n.By, oneLine(n.Text))))
	}
	return p.result(strings.Join(lines, "\n"), g)
}

func byState(n client.GroupCounts) string {
	return counted([]count{
		{n.Open, "open"},
		{n.Lost, "lost"},
		{n.Parked, "parked"},
		{n.Replayed, "replayed"},
		{n.Closed, "closed"},
		{n.Discarded, "discarded"},
		{n.Sent, "sent"},
	})
}

// several is a number of things that have a regular plural.
func several(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// count is a number of something.
type count struct {
	n    int
	what string
}

// counted lists the counts that are not zero.
func counted(all []count) string {
	var parts []string
	for _, c := range all {
		if c.n != 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return strings.Join(parts, ", ")
}

// errUnconfirmed is the error of an act that the user did not agree to.
var errUnconfirmed = config.Hint(errors.New("not confirmed: nothing was changed"), "answer y, or give --yes")

// confirm asks a question on stderr, and reads the answer from stdin. It is nil for "y" and "yes".
func confirm(p *printer, stdin io.Reader, question string) error {
	fmt.Fprintf(p.err, "%s [y/N] ", config.Printable(question))
	answer, _ := bufio.NewReader(stdin).ReadString('\n')
	if f, ok := stdin.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		fmt.Fprintln(p.err) // a terminal shows the answer and its line break
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errUnconfirmed
}
