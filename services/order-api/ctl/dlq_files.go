package ctl

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

type exportDeadLetters struct {
	filter
	states
	Format string `enum:"ndjson,csv" default:"ndjson" help:"ndjson (with records and decisions; can be imported) or csv (a line each, without records)."`
	Output string `short:"o" placeholder:"FILE" help:"File to write, replacing an existing one. Only its owner may read it: it has personal data. Default: stdout."`
}

// Run writes the selected dead letters. A file is written in full or not at all.
func (c *exportDeadLetters) Run(ctx context.Context, p *printer, api *client.Client) error {
	f, err := c.listed(c.filter)
	if err != nil {
		return err
	}
	body, err := api.Export(ctx, f, c.Format)
	if err != nil {
		return misused(explain(err))
	}
	defer body.Close()
	if c.Output == "" {
		_, err := c.copy(p.out, body, p)
		return err
	}
	into, err := os.CreateTemp(filepath.Dir(c.Output), ".dead-letters-*")
	if err != nil {
		return err
	}
	defer p.hide()
	lines, err := c.copy(into, body, p)
	if err := errors.Join(err, into.Close()); err != nil {
		return errors.Join(err, os.Remove(into.Name()))
	}
	if err := os.Rename(into.Name(), c.Output); err != nil {
		return errors.Join(err, os.Remove(into.Name()))
	}
	return p.result(fmt.Sprintf("%s %s", c.Output, several(lines, "line")), map[string]any{"file": c.Output, "lines": lines})
}

// copy copies an export and counts its lines. It escapes control characters in JSON, which does not
// change the values, and replaces them in CSV on a terminal.
func (c *exportDeadLetters) copy(into io.Writer, body io.Reader, p *printer) (lines int, err error) {
	w, r := bufio.NewWriter(into), bufio.NewReader(body)
	for {
		line, err := r.ReadString('\n')
		if line != "" && err == nil {
			if lines++; into != p.out && lines%100 == 1 {
				p.count(lines, "lines")
			}
			if line, err = c.safe(line, into == p.out && p.columns > 0); err == nil {
				_, err = w.WriteString(line)
			}
		}
		switch {
		case errors.Is(err, io.EOF) && line == "":
			return lines, w.Flush()
		case err != nil:
			return lines, errors.Join(fmt.Errorf("the export was cut off after %d lines: %w", lines, err), w.Flush())
		}
	}
}

// safe returns a line of an export without control characters.
func (c *exportDeadLetters) safe(line string, terminal bool) (string, error) {
	if c.Format == "csv" {
		if terminal {
			return config.Printable(line), nil
		}
		return line, nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(line)); err != nil {
		return "", fmt.Errorf("line is no JSON: %w", err)
	}
	return escaped(compact.String()) + "\n", nil
}

type importDecisions struct {
	File string `arg:"" help:"NDJSON file, such as an export; - reads stdin."`
}

// Help describes the lines.
func (*importDecisions) Help() string {
	return `A line is a decision, or a line of an export, whose decisions are carried out:

  {"id": "3-124", "decision": "discard", "reason": "Test order"}
  {"id": "3-125", "decision": "restore"}
  {"id": "3-126", "decision": "note", "text": "Asked the customer"}
  {"id": "3-127", "decision": "edit", "value": {…}}

A decision that is in force already is unchanged, so an import can be repeated.

Exit status: 0 if no decision was refused; 1 if some were; 2 for invalid arguments.`
}

// Run sends the decisions, and prints a line for each result.
func (c *importDecisions) Run(ctx context.Context, p *printer, api *client.Client, stdin io.Reader) error {
	decisions := stdin
	if c.File != "-" {
		f, err := config.OpenFile(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		decisions = f
	}
	done, tally := 0, map[string]int{}
	for r, err := range api.Import(ctx, decisions) {
		if err != nil {
			return config.Hint(explain(fmt.Errorf("after %d results: %w", done, err)), "an import can be repeated: what is done stays unchanged")
		}
		done++
		tally[r.Result]++
		place := fmt.Sprintf("%s:%d", c.File, r.Line)
		if r.Problem != nil {
			p.printError(fmt.Errorf("%s: %w", place, r.Problem))
		}
		if err := p.result(fmt.Sprintf("%s %s %s %s", place, r.ID, r.Decision, r.Result), r); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("decisions %d: %s", done, counted([]count{{tally["done"], "done"}, {tally["unchanged"], "unchanged"}, {tally["refused"], "refused"}}))
	if tally["refused"] > 0 {
		return errors.New(text)
	}
	p.note(text)
	return nil
}
