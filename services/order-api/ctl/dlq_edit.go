package ctl

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
)

type editDeadLetter struct {
	ID     string `arg:"" help:"ID of the dead letter, such as 3-124."`
	File   string `placeholder:"FILE" help:"Take the new version from this file instead of an editor; - reads stdin."`
	Reason string `placeholder:"WHY" help:"Why you edit it, for the audit trail."`
	Yes    bool   `short:"y" help:"Store the edit without asking."`
	DryRun bool   `name:"dry-run" help:"Show the differences, and store nothing."`
}

// Help says where the editor comes from.
func (*editDeadLetter) Help() string {
	return `Opens the order in the editor of VISUAL or EDITOR, as it was placed: customer, address, service, items and note. Prices are not part of it. After you have saved it, the differences are shown, and you are asked before they are stored. The original is kept, and nothing is replayed.

Once an invoice is stored, only what it does not print can be changed.

Exit status: 0 if the edit was stored, or nothing was changed; 1 if it was refused or not confirmed; 2 for invalid arguments.`
}

// Run edits a dead letter.
func (c *editDeadLetter) Run(ctx context.Context, p *printer, api *client.Client, stdin io.Reader) error {
	l, err := api.DeadLetter(ctx, c.ID)
	switch {
	case err != nil:
		return explain(err)
	case l.Edit == nil:
		return config.Hint(fmt.Errorf("dead letter %s cannot be edited", c.ID),
			"refunds and records that are no order cannot be edited; nor can anything with a role that does not see personal data")
	case c.File == "-" && !c.Yes && !c.DryRun:
		return config.Usage(errors.New("--file - needs --yes or --dry-run: stdin cannot be the answer, too"))
	}
	text, err := plain(*l.Edit)
	if err != nil {
		return err
	}
	d := draft{was: *l.Edit, text: text}
	if c.File != "" {
		if d.text, err = readAll(c.File, stdin); err != nil {
			return err
		}
		return c.store(ctx, p, api, stdin, d)
	}
	return c.interactively(ctx, p, api, stdin, d)
}

// draft is an edit in work.
type draft struct {
	was  client.Editable
	text []byte
}

// interactively opens the editor. If the edit is not stored, the text stays in its file, which the
// error names.
func (c *editDeadLetter) interactively(ctx context.Context, p *printer, api *client.Client, stdin io.Reader, d draft) error {
	for _, pointer := range d.was.Locked {
		p.note("the invoice prints " + cmp.Or(pointer, "everything") + ": it cannot be changed")
	}
	f, err := os.CreateTemp("", "dead-letter-*.json") // only its owner may read it
	if err != nil {
		return err
	}
	_, err = f.Write(d.text)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	before := d.text
	if err := openEditor(ctx, p, stdin, f.Name()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if d.text, err = os.ReadFile(f.Name()); err != nil {
		return err
	}
	if bytes.Equal(bytes.TrimSpace(before), bytes.TrimSpace(d.text)) {
		p.note("nothing was changed")
		return os.Remove(f.Name())
	}
	if err := c.store(ctx, p, api, stdin, d); err != nil {
		p.note("your text is kept in " + f.Name() + ": use it with --file, or delete it")
		return err
	}
	return os.Remove(f.Name())
}

// openEditor runs the editor of the user on a file, and waits for it.
func openEditor(ctx context.Context, p *printer, stdin io.Reader, file string) error {
	editor := cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"))
	if editor == "" {
		return config.Usage(errors.New("no editor: set EDITOR, or give the new version with --file"))
	}
	// The variable may have arguments; the shell splits them, as for other programs.
	cmd := exec.CommandContext(ctx, "sh", "-c", editor+` "$1"`, "sh", file)
	cmd.Stdout, cmd.Stderr = p.err, p.err
	if terminal, ok := stdin.(*os.File); ok { // another reader would be emptied before the answer is read
		cmd.Stdin = terminal
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running the editor %q: %w", editor, err)
	}
	return nil
}

// store shows the differences, asks, and stores the edit.
func (c *editDeadLetter) store(ctx context.Context, p *printer, api *client.Client, stdin io.Reader, d draft) error {
	value, err := d.value()
	if err != nil {
		return err
	}
	e := client.NewEdit{Version: d.was.Version, Value: value, Encoding: d.was.Encoding, Reason: c.Reason}
	preview, err := api.PreviewEdit(ctx, c.ID, e)
	if err != nil {
		return conflicting(err)
	}
	if len(preview.Changes) == 0 {
		p.note("nothing was changed")
		return nil
	}
	if c.DryRun {
		return p.result(c.ID+" would get version "+fmt.Sprint(preview.Version)+"\n"+strings.Join(diff(preview.Changes), "\n"), preview)
	}
	if !c.Yes {
		fmt.Fprintln(p.err, config.Printable(strings.Join(diff(preview.Changes), "\n")))
		if err := confirm(p, stdin, fmt.Sprintf("Store this as version %d of dead letter %s?", preview.Version, c.ID)); err != nil {
			return err
		}
	}
	stored, err := api.Edit(ctx, c.ID, e)
	if err != nil {
		return conflicting(err)
	}
	if err := p.result(fmt.Sprintf("%s version %d", c.ID, stored.Version), stored); err != nil {
		return err
	}
	p.note("not replayed: its next replay uses version " + fmt.Sprint(stored.Version) + ", such as ordersctl dlq replay " + c.ID)
	return nil
}

// conflicting adds a hint to the error of an edit of an old version.
func conflicting(err error) error {
	if p, ok := errors.AsType[*client.Problem](err); ok && p.Status == http.StatusConflict && p.Version > 0 {
		return config.Hint(fmt.Errorf("somebody has stored version %d meanwhile: %w", p.Version, err), "run the command again, and make your changes to the new version")
	}
	return explain(err)
}

// plain is what the user edits: JSON with indentation, or the value of a foreign record.
func plain(e client.Editable) ([]byte, error) {
	var text string
	if err := json.Unmarshal(e.Value, &text); err == nil {
		if e.Encoding == base64Encoding {
			return base64.StdEncoding.DecodeString(text)
		}
		return []byte(text), nil
	}
	var b bytes.Buffer
	err := json.Indent(&b, e.Value, "", "  ")
	b.WriteByte('\n')
	return b.Bytes(), err
}

const base64Encoding = "base64"

// value is the edited text as the API takes it.
func (d draft) value() (json.RawMessage, error) {
	if d.was.Encoding == "" {
		if !json.Valid(d.text) {
			return nil, errors.New("the new version is no valid JSON: " + fault(d.text))
		}
		return d.text, nil
	}
	text := string(d.text)
	if d.was.Encoding == base64Encoding {
		text = base64.StdEncoding.EncodeToString(d.text)
	}
	return json.Marshal(text)
}

// fault says where a text is no JSON.
func fault(text []byte) string {
	err := json.Unmarshal(text, new(any))
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("line %d: %v", 1+bytes.Count(text[:min(int(s.Offset), len(text))], []byte("\n")), err)
	}
	return fmt.Sprint(err)
}

// maxEdit is the maximum size of a new version in bytes.
const maxEdit = 1 << 20

// readAll reads a file, or stdin for "-".
func readAll(file string, stdin io.Reader) ([]byte, error) {
	if file != "-" {
		return config.ReadFile(file, maxEdit)
	}
	text, err := io.ReadAll(io.LimitReader(stdin, maxEdit+1))
	if err == nil && len(text) > maxEdit {
		err = fmt.Errorf("stdin: larger than %d KiB", maxEdit>>10)
	}
	return text, err
}
