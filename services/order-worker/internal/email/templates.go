package email

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	texttemplate "text/template"

	"example.com/orders/services/order-worker/internal/spoken"
)

// templates are two layouts, and the words of each language, which both layouts use.
//
//go:embed templates
var templates embed.FS

// The layouts. All other files are words.
const (
	textLayout = "mail.txt"
	htmlLayout = "mail.html"
)

// edition is the mail in one language.
type edition struct {
	spoken.Language
	words string // the place of its words
	text  *texttemplate.Template
	html  *htmltemplate.Template
}

// source is the text of a template and the place by which its errors name it.
type source struct{ place, text string }

// editions parses the templates, and tries them. Those in a folder, if one is given, take the places of the embedded ones.
func editions(folder string) (map[spoken.Language]edition, error) {
	sources, err := embedded()
	if err != nil {
		return nil, err
	}
	if err := replace(sources, folder); err != nil {
		return nil, err
	}
	all := make(map[spoken.Language]edition)
	for _, l := range spoken.All() {
		e, err := newEdition(l, sources[textLayout], sources[htmlLayout], sources[l.String()+".tmpl"])
		if err != nil {
			return nil, err
		}
		if err := e.try(); err != nil {
			return nil, fmt.Errorf("with the words of %s: %w", e.words, err)
		}
		all[l] = e
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
		text, err := os.ReadFile(place)
		if err != nil {
			return err
		}
		sources[f.Name()] = source{place, string(text)}
	}
	return nil
}

// newEdition parses the words twice: html/template escapes what they say of the order, text/template does not.
func newEdition(l spoken.Language, text, html, words source) (edition, error) {
	funcs := map[string]any{"plural": l.Plural}
	t, err := texttemplate.New(words.place).Funcs(funcs).Parse(words.text)
	if err != nil {
		return edition{}, err
	}
	if t, err = t.New(text.place).Parse(text.text); err != nil {
		return edition{}, err
	}
	h, err := htmltemplate.New(words.place).Funcs(funcs).Parse(words.text)
	if err != nil {
		return edition{}, err
	}
	if h, err = h.New(html.place).Parse(html.text); err != nil {
		return edition{}, err
	}
	return edition{l, words.place, t, h}, nil
}

// written is what the templates make of an order.
type written struct{ subject, text, html string }

// write says the same twice, for people who read text and for those who read HTML.
func (e edition) write(c content) (written, error) {
	var subject, text, html strings.Builder
	if err := e.text.ExecuteTemplate(&subject, "subject", c); err != nil {
		return written{}, fmt.Errorf("writing the subject: %w", err)
	}
	if err := e.text.Execute(&text, c); err != nil {
		return written{}, fmt.Errorf("writing the text: %w", err)
	}
	if err := e.html.Execute(&html, c); err != nil {
		return written{}, fmt.Errorf("writing the HTML: %w", err)
	}
	return written{line(strings.TrimSpace(subject.String())), text.String(), html.String()}, nil
}

// try writes mails about orders that nobody placed, one with all that an order can have and one with as little as it can,
// so that a template that cannot be executed stops the worker and not an order.
func (e edition) try() error {
	full := content{
		Language: e.String(), Seller: "Shop", Name: "Zoë", Order: "ord_1", Invoice: "INV-1", Link: "https://shop.example.com/orders/ord_1",
		Lines: []item{{2, "Bottle", "59.80 EUR"}}, Shipping: delivery{"express", "Courier", "9.80 EUR", "1–2", 2},
		Taxes: []tax{{"19 %", "69.60 EUR", "13.22 EUR"}}, Total: "82.82 EUR", Address: []string{"Street 1", "City"},
	}
	bare := content{Language: e.String(), Shipping: delivery{Service: "standard"}}
	for _, c := range []content{full, bare} {
		mail, err := e.write(c)
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
