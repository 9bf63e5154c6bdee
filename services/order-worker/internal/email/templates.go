package email

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	texttemplate "text/template"
	"unicode/utf8"

	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
)

// templates are two layouts and the words of each language, which both layouts use.
//
//go:embed templates
var templates embed.FS

// The layouts, and the suffix of words for refunds: de.tmpl has the words of a German mail,
// de-credit.tmpl those that differ for a refund.
const (
	textLayout = "mail.txt"
	htmlLayout = "mail.html"
	ofRefunds  = "-credit"
)

// kind is a language, and whether the mail is about a refund.
type kind struct {
	language locale.Language
	refund   bool
}

// templateSet is the templates of a kind.
type templateSet struct {
	locale.Language
	words string // the place of its words; for a refund, of those that differ
	text  *texttemplate.Template
	html  *htmltemplate.Template
	work  *work // limits their execution, if limit was called
}

// source is the text of a template and the place that its errors name.
type source struct{ place, text string }

// templateSets returns the templates. Each kind is parsed at its first call: a worker writes mails in few
// languages. Files in folder replace the embedded ones of the same names; then all are tried.
func templateSets(folder string) (map[kind]func() templateSet, error) {
	sources, err := embedded()
	if err != nil {
		return nil, err
	}
	if err := replace(sources, folder); err != nil {
		return nil, err
	}
	all := make(map[kind]func() templateSet)
	for _, l := range locale.All() {
		words := []source{sources[l.String()+".tmpl"], sources[l.String()+ofRefunds+".tmpl"]}
		for _, mail := range []struct {
			kind
			words []source
			tries []content
		}{{kind{l, false}, words[:1], orders(l)}, {kind{l, true}, words, refunds(l)}} {
			parse := func() (templateSet, error) {
				return newTemplateSet(l, sources[textLayout], sources[htmlLayout], mail.words)
			}
			all[mail.kind] = later(parse)
			if folder == "" { // the embedded ones are tried by the tests
				continue
			}
			e, err := parse()
			if err != nil {
				return nil, err
			}
			e.limit()
			if err := e.try(append(mail.tries, largest(l))); err != nil {
				return nil, fmt.Errorf("with the words of %s: %w", e.words, err)
			}
		}
	}
	return all, nil
}

// later returns a function that parses once. It panics if the templates have a fault: the embedded ones
// have none, and those of a folder have been tried.
func later(parse func() (templateSet, error)) func() templateSet {
	return sync.OnceValue(func() templateSet {
		e, err := parse()
		if err != nil {
			panic(err)
		}
		return e
	})
}

func embedded() (map[string]source, error) {
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, err
	}
	sources := make(map[string]source)
	return sources, fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		sources[name] = source{"embedded " + name, string(text)}
		return err
	})
}

// replace replaces embedded templates by the files of a folder. A file of another name is an error,
// since it may be misspelt.
func replace(sources map[string]source, folder string) error {
	if folder == "" {
		return nil
	}
	// ReadDir would block on a named pipe.
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return cmp.Or(err, fmt.Errorf("%s: is not a folder", folder))
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), ".") { // files of editors and of Kubernetes volumes
			continue
		}
		place := filepath.Join(folder, f.Name())
		if _, known := sources[f.Name()]; !known {
			return fmt.Errorf("%s: no template has this name", place)
		}
		text, err := config.ReadFile(place, maxTemplate)
		if err != nil {
			return err
		}
		for i, l := range bytes.Split(text, []byte("\n")) {
			if !utf8.Valid(l) {
				return fmt.Errorf("%s:%d: is not UTF-8", place, i+1)
			}
			plain := bytes.ReplaceAll(bytes.TrimSuffix(l, []byte("\r")), []byte("\t"), []byte(" "))
			if fault := order.TextFault(string(plain), 0, math.MaxInt); fault != "" {
				return fmt.Errorf("%s:%d: %s", place, i+1, fault)
			}
		}
		sources[f.Name()] = source{place, string(text)}
	}
	return nil
}

// newTemplateSet parses the words twice, because only html/template escapes. If a word is defined
// twice, the last one applies.
func newTemplateSet(l locale.Language, text, html source, words []source) (e templateSet, err error) {
	e = templateSet{l, words[len(words)-1].place, texttemplate.New(""), htmltemplate.New(""), new(work)}
	functions := map[string]any{"plural": l.Plural, counter: e.work.step}
	e.text.Funcs(functions)
	e.html.Funcs(functions)
	words = append([]source{colon(l)}, words...)
	for _, s := range append(slices.Clip(words), text) {
		if e.text, err = e.text.New(s.place).Parse(s.text); err != nil {
			return e, err
		}
	}
	for _, s := range append(slices.Clip(words), html) {
		if e.html, err = e.html.New(s.place).Parse(s.text); err != nil {
			return e, err
		}
	}
	return e, nil
}

// colon is the word for what the layouts write behind a label. French puts a space before it, which does not break.
// As a condition in the layouts it would take a sixth of their time.
func colon(l locale.Language) source {
	space := ""
	if l.String() == "fr" {
		space = "\u00a0"
	}
	return source{"embedded colon", `{{define "colon"}}` + space + `:{{end}}`}
}

// limit makes the templates count what they do. That takes a third of their time.
func (e templateSet) limit() {
	for _, t := range e.text.Templates() {
		count(t.Root)
	}
	for _, t := range e.html.Templates() {
		if t.Tree != nil {
			count(t.Tree.Root)
		}
	}
}

// rendered is the output of the templates. Its memory is used again.
type rendered struct {
	subject    string
	text, html bounded
}

// write executes the templates for one mail.
func (e templateSet) write(c *content, to *rendered) error {
	if err := e.free(&c.Shipping); err != nil {
		return err
	}
	if err := e.note(c); err != nil {
		return err
	}
	var subject bounded
	if err := e.text.ExecuteTemplate(&subject, "subject", c); err != nil {
		return fmt.Errorf("writing the subject: %w", err)
	}
	to.subject = line(strings.TrimSpace(subject.String()))
	to.text.Reset()
	if err := e.text.Execute(&to.text, c); err != nil {
		return fmt.Errorf("writing the text: %w", err)
	}
	to.html.Reset()
	if err := e.html.Execute(&to.html, c); err != nil {
		return fmt.Errorf("writing the HTML: %w", err)
	}
	return nil
}

// free writes the word for a delivery that costs nothing in place of its price.
func (e templateSet) free(d *delivery) error {
	if !d.free {
		return nil
	}
	var word bounded
	if err := e.text.ExecuteTemplate(&word, "free", nil); err != nil {
		return fmt.Errorf("writing the word for free delivery: %w", err)
	}
	d.Price = line(word.String())
	return nil
}

// note writes a note for each result that has words. A result without words is not shown.
func (e templateSet) note(c *content) error {
	for _, step := range slices.Sorted(maps.Keys(c.results)) {
		words := e.text.Lookup("step-" + string(step))
		if words == nil {
			continue
		}
		var note bounded
		if err := words.Execute(&note, c.results[step]); err != nil {
			return fmt.Errorf("writing the note of step %s: %w", step, err)
		}
		c.Notes = append(c.Notes, line(note.String()))
	}
	return nil
}

// largest returns a sample order with more lines than a mail shows.
func largest(l locale.Language) content {
	long := content{Language: l.String(), Shipping: delivery{Service: "standard", free: true}, More: order.MaxLines - maxLines}
	for range maxLines {
		long.Lines = append(long.Lines, item{1, "Bottle", "29.90 EUR"})
	}
	return long
}

// orders returns two sample orders: one with all fields, one with as few as possible.
func orders(l locale.Language) []content {
	return []content{{
		Language: l.String(), Seller: "Shop", Name: "Zoë", Order: "2026-1042", Reference: "2026-1042", Invoice: "INV-1",
		Link:  "https://shop.example.com/orders/ord_1",
		Lines: []item{{2, "Bottle", "59.80 EUR"}}, Shipping: delivery{"express", "Courier", "9.80 EUR", "1–2", 2, false},
		Taxes: []tax{{"19 %", "69.60 EUR", "13.22 EUR", "", false}}, Taxed: true, Total: "82.82 EUR",
		Paid: []paid{{order.Card, false, "2 November 2026", "-80.00 EUR"}, {order.Card, true, "3 November 2026", "1.00 EUR"}}, Due: "2.82 EUR", Address: []string{"Zoë", "Street 1", "City"},
		Contact: "help@shop.example.com", Phone: "+49 30 0", Imprint: []string{"Shop · Street 2 · City"},
	}, {Language: l.String(), Shipping: delivery{Service: "standard"}}}
}

// refunds returns two sample refunds: one with all fields, one with as few as possible.
func refunds(l locale.Language) []content {
	all := orders(l)[0]
	all.Invoice, all.Corrects, all.Reason = "CRN-1", "INV-1", "Broken"
	all.Paid, all.Due, all.PayBack, all.Returned, all.Reduces = nil, "", "79.00 EUR", "1.00 EUR", "2.82 EUR"
	all.Shipping = delivery{Service: "express", Price: "9.80 EUR"}
	return []content{all, {Language: l.String(), Invoice: "CRN-2", Corrects: "INV-1"}}
}

// try executes the templates with sample orders, so that a template that fails or does not end is
// an error at the start.
func (e templateSet) try(tries []content) error {
	for _, c := range tries {
		e.work.left = maxSteps
		var mail rendered
		err := e.write(&c, &mail)
		if x, ok := errors.AsType[texttemplate.ExecError](err); ok && errors.Is(err, errEndless) {
			return fmt.Errorf("%s: %w", x.Name, errEndless)
		}
		if err != nil {
			return err
		}
		parts := map[string]string{"subject": mail.subject, e.text.Name(): mail.text.String(), e.html.Name(): mail.html.String()}
		for name, part := range parts {
			if strings.TrimSpace(part) == "" {
				return fmt.Errorf("%s: the template writes nothing", name)
			}
		}
	}
	return nil
}
