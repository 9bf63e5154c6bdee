package ctl

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"

	"example.com/orders/shared/config"
)

// printer writes results to stdout, everything else to stderr, and redraws a progress bar below
// them. It is not safe for concurrent use. Texts may come from untrusted clients, so it replaces
// control characters.
type printer struct {
	out, err io.Writer
	json     bool
	columns  int  // width of the terminal of stdout, or 0: stdout is no terminal
	bar      *bar // or nil: stderr is no terminal
}

// result prints one result: a line of text, or v as a line of JSON.
func (p *printer) result(text string, v any) (err error) {
	if p.json {
		if text, err = exactly(v); err != nil {
			return err
		}
	}
	p.bar.clear(p.err)
	defer p.bar.draw(p.err)
	_, err = fmt.Fprintln(p.out, config.Printable(text))
	return err
}

// exactly encodes v as JSON without control characters.
func exactly(v any) (string, error) {
	text, err := json.Marshal(v)
	return escaped(string(text)), err
}

// escaped escapes the control characters of a JSON text, so that the decoded value stays the same.
func escaped(text string) string {
	var out strings.Builder
	for _, r := range text {
		if config.IsControl(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// note prints a message on stderr.
func (p *printer) note(text string) {
	p.bar.clear(p.err)
	defer p.bar.draw(p.err)
	fmt.Fprintf(p.err, "%s: %s\n", name, config.Printable(text))
}

// printError prints an error that does not end the program.
func (p *printer) printError(err error) {
	p.bar.clear(p.err)
	defer p.bar.draw(p.err)
	config.PrintError(p.err, name, err)
}

// bar is a progress bar. A nil bar shows nothing.
type bar struct {
	columns             int    // width of the terminal, or 0: not known
	total, done, failed int    // total 0: not known
	text                string // shown instead of the number of failed ones
}

const barWidth = 30

// show starts a bar if stderr is a terminal and total is above 1; the caller ends it with hide.
func (p *printer) show(total int) {
	if columns := terminal(p.err); columns > 0 && total > 1 {
		p.bar = &bar{columns: columns, total: total}
		p.bar.draw(p.err)
	}
}

// count shows on a terminal how many items are done, if their total is not known; 0 shows only what
// is being done. The caller ends it with hide.
func (p *printer) count(done int, what string) {
	if p.bar == nil {
		columns := terminal(p.err)
		if columns == 0 {
			return
		}
		p.bar = &bar{columns: columns}
	}
	p.bar.clear(p.err)
	p.bar.done, p.bar.text = done, what
	p.bar.draw(p.err)
}

func (p *printer) hide() {
	p.bar.clear(p.err)
	p.bar = nil
}

// defaultColumns is the width of a terminal that does not tell its width.
const defaultColumns = 80

// terminal returns the width of a terminal in columns, or 0 if w is no terminal.
func terminal(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
		return columns
	}
	return defaultColumns
}

// step counts one item as done.
func (b *bar) step(failed bool) {
	if b == nil {
		return
	}
	b.done++
	if failed {
		b.failed++
	}
}

// draw draws the bar in one line of the terminal.
func (b *bar) draw(w io.Writer) {
	if b == nil {
		return
	}
	line := b.line()
	if b.columns > 0 {
		line = runewidth.Truncate(line, b.columns-1, "…")
	}
	fmt.Fprint(w, "\r", line)
}

func (b *bar) line() string {
	text := oneLine(b.text)
	switch {
	case b.total == 0 && b.done == 0:
		return text + " …"
	case b.total == 0:
		return fmt.Sprintf("%d %s", b.done, text)
	case text == "":
		text = fmt.Sprintf("%d failed", b.failed)
	}
	full := min(max(barWidth*b.done/max(b.total, 1), 0), barWidth)
	return fmt.Sprintf("[%s%s] %d/%d, %s", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), b.done, b.total, text)
}

// clear erases the line of the bar, so that another line can replace it.
func (b *bar) clear(w io.Writer) {
	if b != nil {
		fmt.Fprint(w, "\r\x1b[K")
	}
}
