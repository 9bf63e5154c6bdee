package email

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	texttemplate "text/template"
	"unicode/utf8"

	"example.com/orders/services/order-worker/internal/locale"
	"example.com/orders/shared/config"
	"example.com/orders/shared/order"
)

// templates are two layouts, and the words of each language, which both layouts use.
//
//go:embed templates
var templates embed.FS

// The layouts. All other files are words: de.tmpl has those of a mail in German, de-credit.tmpl what a credit note calls otherwise.
const (
	textLayout = "mail.txt"
	htmlLayout = "mail.html"
	ofRefunds  = "-credit"
)

// kind is what mails are about, and their language.
type kind struct {
	language locale.Language
	refund   bool
}

// templateSet is the mail of a kind.
type templateSet struct {
	locale.Language
	words string // the place of its words; of a refund, of those that are its own
	text  *texttemplate.Template
	html  *htmltemplate.Template
	work  *work // that executing them may take
}

// source is the text of a template and the place by which its errors name it.
type source struct{ place, text string }

// templateSets parses the templates, and tries them. Those in a folder, if one is given, take the places of the embedded ones.
func templateSets(folder string) (map[kind]templateSet, error) {
	sources, err := embedded()
	if err != nil {
		return nil, err
	}
	if err := replace(sources, folder); err != nil {
		return nil, err
	}
	all := make(map[kind]templateSet)
	for _, l := range locale.All() {
		words := []source{sources[l.String()+".tmpl"], sources[l.String()+ofRefunds+".tmpl"]}
		for _, mail := range []struct {
			kind
			words []source
			tries []content
		}{{kind{l, false}, words[:1], orders(l)}, {kind{l, true}, words, refunds(l)}} {
			e, err := newTemplateSet(l, sources[textLayout], sources[htmlLayout], mail.words)
			if err != nil {
				return nil, err
			}
			if folder != "" { // ours are known to end
				mail.tries = append(mail.tries, largest(l))
			}
			if err := e.try(mail.tries); err != nil {
				return nil, fmt.Errorf("with the words of %s: %w", e.words, err)
			}
			all[mail.kind] = e
		}
	}
	return all, nil
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

// replace refuses a file that takes no place: its name is misspelt.
func replace(sources map[string]source, folder string) error {
	if folder == "" {
		return nil
	}
	// Of a named pipe ReadDir would wait for somebody to write.
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return cmp.Or(err, fmt.Errorf("%s: is not a folder", folder))
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), ".") { // of editors, and of Kubernetes' mounts
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

// newTemplateSet parses the words twice: html/template escapes what they say of the order, text/template does not. Of a word that is
// said more than once the last counts.
func newTemplateSet(l locale.Language, text, html source, words []source) (e templateSet, err error) {
	e = templateSet{l, words[len(words)-1].place, texttemplate.New(""), htmltemplate.New(""), new(work)}
	functions := map[string]any{"plural": l.Plural, counter: e.work.step}
	e.text.Funcs(functions)
	e.html.Funcs(functions)
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
	for _, t := range e.text.Templates() {
		count(t.Root)
	}
	for _, t := range e.html.Templates() {
		if t.Tree != nil {
			count(t.Tree.Root)
		}
	}
	return e, nil
}

// rendered is what the templates make of an order.
type rendered struct{ subject, text, html string }

// write says the same twice, for people who read text and for those who read HTML.
func (e templateSet) write(c content) (rendered, error) {
	var subject, text, html bounded
	if err := e.text.ExecuteTemplate(&subject, "subject", c); err != nil {
		return rendered{}, fmt.Errorf("writing the subject: %w", err)
	}
	if err := e.text.Execute(&text, c); err != nil {
		return rendered{}, fmt.Errorf("writing the text: %w", err)
	}
	if err := e.html.Execute(&html, c); err != nil {
		return rendered{}, fmt.Errorf("writing the HTML: %w", err)
	}
	return rendered{line(strings.TrimSpace(subject.String())), text.String(), html.String()}, nil
}

// largest is an order made up of as many lines as there can be.
func largest(l locale.Language) content {
	long := content{Language: l.String(), Shipping: delivery{Service: "standard"}}
	for range order.MaxLines {
		long.Lines = append(long.Lines, item{1, "Bottle", "29.90 EUR"})
	}
	return long
}

// orders are made up: one has all that an order can have, one as little as it can.
func orders(l locale.Language) []content {
	return []content{{
		Language: l.String(), Seller: "Shop", Name: "Zoë", Order: "ord_1", Invoice: "INV-1", Link: "https://shop.example.com/orders/ord_1",
		Lines: []item{{2, "Bottle", "59.80 EUR"}}, Shipping: delivery{"express", "Courier", "9.80 EUR", "1–2", 2},
		Taxes: []tax{{"19 %", "69.60 EUR", "13.22 EUR"}}, Total: "82.82 EUR", Address: []string{"Street 1", "City"},
	}, {Language: l.String(), Shipping: delivery{Service: "standard"}}}
}

// refunds are made up: of all, and of next to nothing.
func refunds(l locale.Language) []content {
	all := orders(l)[0]
	all.Invoice, all.Corrects, all.Reason, all.Shipping = "CRN-1", "INV-1", "Broken", delivery{Service: "express", Price: "9.80 EUR"}
	return []content{all, {Language: l.String(), Invoice: "CRN-2", Corrects: "INV-1"}}
}

// try writes mails about what nobody ordered, so that a template that cannot be executed, or does not end, stops the worker and not
// an order.
func (e templateSet) try(tries []content) error {
	defer e.work.unbounded()
	for _, c := range tries {
		e.work.bound(maxSteps)
		mail, err := e.write(c)
		if x, ok := errors.AsType[texttemplate.ExecError](err); ok && errors.Is(err, errEndless) {
			return fmt.Errorf("%s: %w", x.Name, errEndless)
		}
		if err != nil {
			return err
		}
		for name, part := range map[string]string{"subject": mail.subject, e.text.Name(): mail.text, e.html.Name(): mail.html} {
			if strings.TrimSpace(part) == "" {
				return fmt.Errorf("%s: the template writes nothing", name)
			}
		}
	}
	return nil
}
