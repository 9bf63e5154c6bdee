package main

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// TestSelectedDeadLettersAreDiscardedTogether selects two of three, with JavaScript and without. The question asks for a reason first.
func TestSelectedDeadLettersAreDiscardedTogether(t *testing.T) {
	t.Parallel()
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openSite(t, "--workers", "0")
			s.work(t)
			gone, other, kept := s.deadOrder(t, "Zoë"), s.deadOrder(t, "Jörg"), s.deadOrder(t, "Ada")
			b := s.browse(t)
			b.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts}))
			b.open("/desk/dead-letters")
			if scripts {
				b.accessible("/desk/dead-letters")
			}
			b.choose(`.letters [value="`+gone+`"]`, ".letters")
			b.choose(`.letters [value="`+other+`"]`, ".letters")
			b.submit(`[formaction="/desk/discard"]`, "#f-reason")
			b.has("h1", "Discard 2 dead letters?")
			if scripts {
				b.accessible("/desk/discard")
			}
			b.submit("main .btn.go", "[aria-invalid=true]")
			b.has("main", "Must not be empty.")
			if scripts {
				b.accessible("/desk/discard without a reason")
			}
			b.fill(map[string]string{"reason": "Test orders"})
			b.submit("main .btn.go", ".strip.run")
			b.has(".strip.run", "The selected dead letters were discarded.")
			b.has(".letters", gone)
			b.has(".letters", other)
			b.open("/desk/dead-letters")
			b.has("h1 + .answer", "1 dead letter")
			b.has(".letters", kept)
			b.clean()
		})
	}
}
