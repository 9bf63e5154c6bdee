package main

import (
	"encoding/json"
	"strings"
	"testing"

	"example.com/orders/shared/embedded/inbox"
)

// TestDeadLetterEditor edits an order whose invoice is issued and whose mail was refused: a draft that is invalid, one that changes what
// the invoice prints, and one that is saved. Then somebody else replays it while the next draft is written.
func TestDeadLetterEditor(t *testing.T) {
	t.Parallel()
	in := runInbox(t)
	s := openSite(t, "--workers", "0", "--embedded", "broker", "--smtp", in.SMTPAddr())
	s.work(t)
	in.Behave(inbox.Behaviour{At: "RCPT", Code: 550})
	o, err := s.api.Order(t.Context(), s.placed(t, "DE", "dead", ""))
	must(t, err)
	at := "/desk/dead-letters/" + o.DeadLetter.ID
	b := s.browse(t)
	b.open(at + "/edit")
	b.has("main", "Locked lines are printed on invoice INV-")
	b.drafts(`"zoe@example.com"`, `"zoe@"`)
	b.submit("[value=save]", ".strip.dead")
	b.has(".strip.dead", "Nothing was saved.")
	b.has(".strip.dead", "/customer/email")
	b.drafts(`"zoe@"`, `"zoe@example.com"`)
	b.drafts(`"Zoë Łukasiewicz"`, `"Ada Example"`)
	b.submit("[value=save]", ".strip.dead")
	b.has(".strip.dead", "/customer/name")
	b.accessible("an edit of a locked line")
	b.drafts(`"Ada Example"`, `"Zoë Łukasiewicz"`)
	b.drafts(`"zoe@example.com"`, `"zoe.l@example.com"`)
	b.submit("[value=preview]", ".ins")
	b.has(".ins", "zoe.l@example.com")
	b.submit("[value=save]", ".strip.run")
	b.has(".strip.run", "The edit was saved.")

	b.open(at + "/edit")
	b.drafts(`"zoe.l@example.com"`, `"zoe.draft@example.com"`)
	in.Behave(inbox.Behaviour{})
	_, err = s.api.Replay(t.Context(), o.DeadLetter.ID, "The mail server works again")
	must(t, err)
	s.ends(t, o.ID, "confirmed")
	b.submit("[value=save]", ".strip.dead")
	b.has("main", "Your draft is kept.")
	if got := js[int](b, `performance.getEntriesByType("navigation")[0].responseStatus`); got != 409 {
		t.Errorf("got the status %d, want 409", got)
	}
	b.draftHas("zoe.draft@example.com")
	b.accessible("an edit of what somebody else has replayed")
	b.clean()
}

// drafts replaces a text in the editor.
func (b *tab) drafts(before, after string) {
	b.t.Helper()
	b.draftHas(before)
	texts, err := json.Marshal([]string{before, after})
	must(b.t, err)
	js[int](b, `(t => (t.value = t.value.replace(...`+string(texts)+`), 0))(document.querySelector("textarea"))`)
}

// draftHas fails the test unless the editor has a text.
func (b *tab) draftHas(text string) {
	b.t.Helper()
	if got := js[string](b, `document.querySelector("textarea").value`); !strings.Contains(got, text) {
		b.t.Errorf("the draft is %s, want %s in it", got, text)
	}
}
