package ctl

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"example.com/orders/shared/config"
)

// printer writes results to stdout, everything else to stderr, and redraws a progress bar below
// them. It is not safe for concurrent use. Texts may come from untrusted clients, so it replaces
// control characters.
type printer struct {
	out, err io.Writer
	json     bool
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

// exactly encodes v as JSON and escapes control characters, so that the decoded value stays the
// same.
func exactly(v any) (string, error) {
	text, err := json.Marshal(v)
	var out strings.Builder
	for _, r := range string(text) {
		if config.IsControl(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String(), err
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
	total, done, failed int
}

const barWidth = 30

// show starts a bar if stderr is a terminal and total is above 1; the caller ends it with hide.
func (p *printer) show(total int) {
	if f, ok := p.err.(*os.File); ok && total > 1 && terminal(f) {
		p.bar = &bar{total: total}
		p.bar.draw(p.err)
	}
}

func (p *printer) hide() {
	p.bar.clear(p.err)
	p.bar = nil
}

// terminal reports whether f is a terminal.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
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

func (b *bar) draw(w io.Writer) {
	if b == nil {
		return
	}
	full := barWidth * b.done / b.total
	fmt.Fprintf(w, "\r[%s%s] %d/%d, %d failed", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), b.done, b.total, b.failed)
}

// clear erases the line of the bar, so that another line can replace it.
func (b *bar) clear(w io.Writer) {
	if b != nil {
		fmt.Fprint(w, "\r\x1b[K")
	}
}
