package pipeline

import (
	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/services/order-worker/internal/invoice"
	"example.com/orders/services/order-worker/internal/retry"
	"example.com/orders/services/order-worker/internal/shipping"
	"example.com/orders/shared/order"
)

// Stage is a step and its place in the pipeline.
type Stage struct {
	Name   order.Step
	Step   Step
	Intent order.Status // written and acknowledged between Plan and Do; empty for a step without an effect
	Keeps  bool         // the document that Do leaves in w.Document is kept in orders.invoices

	// Breaker is asked before the intent is stated; nil for a step that needs nothing which can be down.
	Breaker *retry.Breaker
	// Doubt counts, in the progress that Plan has settled, that nobody can know whether the effect was had, and returns how
	// often that was; nil for an effect that may be repeated.
	Doubt func(*order.Progress) int
	// Had reports, after Plan, whether this process knows that the effect was had: then the step is finished, whatever stands
	// in Kafka. Nil: it never does.
	Had func(*order.State) bool
}

// Stages is the one list of steps. A new step is a package with Plan and Do, and a line here.
func Stages(s *shipping.Step, i *invoice.Step, e *email.Step, server *retry.Breaker) []Stage {
	return []Stage{
		{Name: order.StepShipping, Step: s},
		{Name: order.StepInvoice, Step: i, Intent: order.Working, Keeps: true},
		{
			Name: order.StepEmail, Step: e, Intent: order.Mailing, Breaker: server,
			Doubt: func(p *order.Progress) int { p.Email.Uncertain++; return p.Email.Uncertain }, Had: e.Delivered,
		},
	}
}
