package ctl

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"example.com/orders/shared/config"
)

// printer writes results to stdout, everything else to stderr, and keeps a progress bar out of their way. It is for one goroutine.
type printer struct {
	out, err io.Writer
	json     bool
	bar      *bar // or nil: nobody watches
}

// result prints one result: a line of text, or v as a line of JSON.
func (p *printer) result(text string, v any) error {
	if p.json {
		line, err := json.Marshal(v)
		if err != nil {
			return err
		}
		text = string(line)
	}
	p.bar.clear(p.err)
	defer p.bar.draw(p.err)
	_, err := fmt.Fprintln(p.out, harmless(text))
	return err
}

// harmless takes the control characters out of a text, which may hold what strangers wrote: they could rewrite the screen.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// note says something beside the results.
func (p *printer) note(text string) {
	p.bar.clear(p.err)
	defer p.bar.draw(p.err)
	fmt.Fprintf(p.err, "%s: %s\n", name, text)
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

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
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
