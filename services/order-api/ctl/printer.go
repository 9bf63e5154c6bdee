package ctl

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"example.com/orders/shared/config"
)

// printer writes results to stdout, everything else to stderr, and keeps a progress bar out of their way. It is for one goroutine.
// Texts may hold what strangers wrote: no character reaches a terminal that the terminal would obey.
type printer struct {
	out, err io.Writer
	json     bool
	bar      *bar // or nil: nobody watches
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

// exactly writes v as JSON without a character that a terminal obeys. JSON has an escape for each: what is read stays the same.
func exactly(v any) (string, error) {
	text, err := json.Marshal(v)
	var out strings.Builder
	for _, r := range string(text) {
		if config.Obeyed(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String(), err
}

// note says something beside the results.
func (p *printer) note(text string) {
	p.bar.clear(p.err)
	defer p.bar.draw(p.err)
	fmt.Fprintf(p.err, "%s: %s\n", name, config.Printable(text))
}

// complain tells an error that does not end the program.
func (p *printer) complain(err error) {
	p.bar.clear(p.err)
	defer p.bar.draw(p.err)
	config.Tell(p.err, name, err)
}

// bar shows how far long work has come. A nil bar shows nothing.
type bar struct {
	total, done, failed int
}

const barWidth = 30

// show starts a bar when stderr is a terminal and there is more than one thing to wait for; the caller ends it with hide.
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

// terminal reports whether a person looks at what is written to f.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// step counts one thing as done.
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

// clear erases the line of the bar, so that another line can take its place.
func (b *bar) clear(w io.Writer) {
	if b != nil {
		fmt.Fprint(w, "\r\x1b[K")
	}
}
