package stats

import (
	"time"

	"example.com/orders/shared/order"
)

// Span is how long an order took for a step, and which worker did it.
type Span struct {
	Took   time.Duration
	Worker string // as in order.Change
}

// intents are the steps that have a status of their own, by this status.
var intents = map[order.Status]order.Step{order.Working: order.StepInvoice, order.Mailing: order.StepEmail}

// Spans returns the steps that have ended, by the times in a timeline. A step begins with its intent and
// ends with the next change. Shipping has no intent: its span begins with the placement, so the wait for a
// worker is in it. Attempts that failed are left out; of several that ended the last one counts.
func Spans(timeline []order.Change) map[order.Step]Span {
	found, last := map[order.Step]Span{}, order.Change{}
	for _, c := range timeline {
		if c.Answers() {
			continue
		}
		step, ended := intents[last.Status], c.Status == order.Mailing || c.Status == order.Confirmed
		if last.Status == order.Accepted {
			step, ended = order.StepShipping, c.Status == order.Working
		}
		if step != "" && ended && c.Status != last.Status {
			found[step] = Span{max(0, c.At.Sub(last.At)), c.Worker}
		}
		last = c
	}
	return found
}
