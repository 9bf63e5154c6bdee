package web

import (
	"fmt"
	"strings"
	"time"

	"example.com/orders/services/order-api/internal/stats"
	"example.com/orders/shared/order"
)

// headline is what an order's page says first: what it means for the customer, and what the customer
// must do, which is mostly nothing.
type headline struct{ Title, Text string }

func headlineOf(s order.State) headline {
	what, issued := "order", s.Progress.Issued()
	if s.Order.Refund != nil {
		what = "refund"
	}
	document := map[string]string{"order": "invoice", "refund": "credit note"}[what]
	switch s.Status {
	case order.Accepted:
		return headline{"We have received your " + what + ".", "We send you a mail with the " + document + " when it is processed. You do not need to do anything."}
	case order.Working:
		return headline{"We are processing your " + what + ".", "A mail with the " + document + " follows in a moment."}
	case order.Mailing:
		return headline{"Your " + what + " is processed.", "The confirmation mail is on its way. The " + document + " is already here."}
	case order.Retrying, order.Waiting:
		return delayed(s, what, document, issued)
	case order.Confirmed:
		return headline{"Your " + what + " is confirmed.", "We have sent the confirmation with the " + document + " by mail."}
	case order.Dead:
		if s.Discarded {
			return headline{"Your " + what + " was closed.", "We could not complete it, and no confirmation follows. Reply to any of our mails if you have questions."}
		}
		return headline{"Your " + what + " has stopped. We look into it.", "You do not need to do anything. We continue when we have found the reason, and send you a mail then."}
	case order.Cancelled:
		return headline{"Your " + what + " is cancelled.", "No invoice was issued, and no confirmation follows."}
	}
	return headline{"Your " + what + " is " + string(s.Status) + ".", ""}
}

// delayed is the headline of an order that waits or is retried.
func delayed(s order.State, what, document string, issued bool) headline {
	if !issued {
		return headline{"Your " + what + " is delayed.", "We continue automatically; you do not need to do anything."}
	}
	why := "The mail could not be sent yet."
	if s.Status == order.Waiting {
		why = "The mail server is not responding."
	}
	return headline{
		"Your " + what + " is invoiced. The confirmation mail is delayed.",
		why + " We send the mail automatically; you do not need to do anything. The " + document + " is already here.",
	}
}

// stage is one of the four parts of an order's way.
type stage struct {
	Kind  string // look of the state
	Words string
	At    time.Time // or zero
	Text  string    // below the words; or empty
	Ops   string    // for operators; or empty
}

// Class is the class of the stage's list item.
func (s stage) Class() string {
	if s.Kind == "todo" {
		return "todo"
	}
	return s.Kind + "-s"
}

// stagesOf are the stages of an order: what is done, what is worked on, and what follows.
func stagesOf(s order.State) []stage {
	all := []stage{accepted(s), settled(s), issued(s), mailed(s)}
	of := stats.Spans(s.Timeline)
	all[1].by(of[order.StepShipping], " after it was placed")
	all[2].by(of[order.StepInvoice], "")
	all[3].by(of[order.StepEmail], "")
	for i := range all {
		if all[i].Kind == "" { // the first that is not done has the state of the order
			all[i].Kind, all[i].Words = current(s.Status, all[i].Words)
			all[i].since(s)
			for j := i + 1; j < len(all); j++ {
				all[j].Kind = "todo"
			}
			break
		}
	}
	return all
}

// by adds for operators which worker did the step, and how long it took; the suffix says since when.
func (g *stage) by(span stats.Span, suffix string) {
	if span.Worker == "" {
		return
	}
	g.Ops = strings.TrimPrefix(g.Ops+" · "+span.Worker+" · "+took(span.Took.Seconds())+suffix, " · ")
}

// since sets when the order came to its status, and why.
func (g *stage) since(s order.State) {
	if len(s.Timeline) == 0 || s.Status == order.Accepted {
		return
	}
	last := s.Timeline[len(s.Timeline)-1]
	g.At = last.At
	if last.Reason != "" {
		g.Ops = string(last.Step) + " · " + last.Reason
	}
	if l := s.DeadLetter; l != nil && s.Status == order.Dead {
		g.Ops += " · dead letter " + l.ID
	}
	if last.Worker != "" {
		g.Ops = strings.TrimPrefix(g.Ops+" · "+last.Worker, " · ")
	}
}

// current is the look of the stage at which an order is, and its words.
func current(s order.Status, done string) (kind, words string) {
	what, _, _ := strings.Cut(done, " ")
	switch s {
	case order.Accepted:
		return "todo", done
	case order.Dead:
		return "dead", what + " stopped"
	case order.Retrying:
		return "retry", what + " delayed"
	case order.Waiting:
		return "wait", what + " waiting"
	case order.Cancelled:
		return "closed", what + " " + string(s)
	}
	return "run", what + " in progress"
}

func accepted(s order.State) stage {
	return stage{Kind: "ok", Words: "Accepted", At: s.Order.PlacedAt, Ops: fmt.Sprintf("orders %d/%d", s.Origin.Partition, s.Origin.Offset)}
}

func settled(s order.State) stage {
	if s.Order.Refund != nil {
		return stage{Kind: "ok", Words: "Refund settled", Text: money(s.Order.Refunded().Plus(s.Order.Refund.Tax))}
	}
	g := stage{Words: "Shipping settled"}
	if h := s.Progress.Shipping; h != nil {
		g.Kind, g.Text, g.Ops = "ok", h.Carrier+", "+money(h.Price)+", "+days(h), "zone "+h.Zone+" · card "+h.Card
	}
	return g
}

// days are the working days until delivery.
func days(h *order.Shipping) string {
	if h.MinDays == h.MaxDays {
		return count(h.MaxDays, "working day")
	}
	return fmt.Sprintf("%d – %s", h.MinDays, count(h.MaxDays, "working day"))
}

func issued(s order.State) stage {
	g := stage{Words: "Invoice issued"}
	if s.Progress.Issued() {
		kept := s.Progress.Invoice.Kept
		g.Kind, g.Text = "ok", s.Progress.Invoice.Number
		g.Ops = fmt.Sprintf("offset %d · %d kB", kept.Offset, (kept.Bytes+1023)/1024)
	}
	return g
}

func mailed(s order.State) stage {
	g := stage{Words: "Mail sent"}
	for _, change := range s.Timeline {
		if change.Status == order.Confirmed && g.Kind == "" {
			g.Kind, g.At = "ok", change.At
		}
	}
	if e := s.Progress.Email; e != nil && e.Uncertain > 0 {
		g.Ops = count(e.Uncertain, "uncertain mail")
	}
	return g
}
