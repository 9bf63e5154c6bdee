package wire

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// Forecast is what a worker answers to a dry run: what a replay of a dead letter would do. It is a
// record in orders.desk, in the partition of the order. A dry run that is worked on twice writes the
// same key, and the last record counts.
type Forecast struct {
	Job        string      // that asked
	DeadLetter string      // ID, as "3-124"
	Cause      order.Cause // of the job's request
	At         time.Time
	// Answer is the reason with which the replay would be refused, as order.Conflict; or empty. Then there
	// are no steps.
	Answer string
	// Steps are those that the replay would take, in their order: the last one is the one that fails, or
	// was not tried. Without a name it is the reading of the record, which is no order. Steps that were
	// finished before are left out.
	Steps []StepForecast
	// Shipping price and total of the invoice as far as the steps came, and what carries the goods.
	// They have no currency if they are not known.
	Shipping order.Money // net
	Total    order.Money // with VAT
	Carrier  string
	Edit     int // version of the edit that was tried, or 0
}

// StepForecast is what one step would do.
type StepForecast struct {
	Step    order.Step // or empty: reading the record
	Outcome StepOutcome
	Class   string // of the failure, as failure.Class writes it; empty unless it fails
	Reason  string // of package failure; empty unless it fails
	Message string // as the dead letter would have it; empty unless it fails
}

// StepOutcome is how a step would end.
type StepOutcome string

// The outcomes of a step in a forecast.
const (
	StepOK       StepOutcome = "ok"
	StepFails    StepOutcome = "fails"
	StepNotTried StepOutcome = "not-tried" // its effect cannot be undone; all that comes before it was tried
)

// maxForecast bounds the texts of a forecast, in characters.
const maxForecast = 600

// Record is the forecast as it is written to the topic of the desk.
func (f *Forecast) Record() *kgo.Record {
	v := forecastValue{
		Schema: schema, Job: f.Job, DeadLetter: f.DeadLetter, At: Stamp(f.At), Answer: f.Answer, Steps: []stepValue{},
		Carrier: f.Carrier, Edit: f.Edit, Shipping: amount(f.Shipping), Total: amount(f.Total),
	}
	for _, s := range f.Steps {
		v.Steps = append(v.Steps, stepValue(s))
	}
	e := Envelope{Type: TypeForecast, ID: f.key(), Time: f.At, Cause: f.Cause, content: jsonType}
	return e.Record([]byte(f.key()), mustJSON(v), nil)
}

func (f *Forecast) key() string { return "job/" + f.Job + "/forecast/" + f.DeadLetter }

// ReadForecast reads a forecast.
func ReadForecast(r *kgo.Record) (Forecast, error) {
	e, _, err := ReadEnvelope(r, TypeForecast)
	if err != nil {
		return Forecast{}, err
	}
	var v forecastValue
	if err := decode(r.Value, &v); err != nil {
		return Forecast{}, err
	}
	f := Forecast{
		Job: v.Job, DeadLetter: v.DeadLetter, Cause: e.Cause, At: Unstamp(v.At), Answer: v.Answer, Carrier: v.Carrier, Edit: v.Edit,
	}
	if v.Shipping != nil {
		f.Shipping = order.Money(*v.Shipping)
	}
	if v.Total != nil {
		f.Total = order.Money(*v.Total)
	}
	for _, s := range v.Steps {
		f.Steps = append(f.Steps, StepForecast(s))
	}
	if fault := f.fault(); fault != "" || string(r.Key) != f.key() {
		return Forecast{}, fmt.Errorf("%w: forecast with key %.40q: %s", ErrUndecodable, r.Key, fault)
	}
	return f, nil
}

// fault names the first field that is not as Forecast describes it, or is "".
func (f *Forecast) fault() string {
	switch {
	case !wellFormed(order.ID(f.Job)):
		return "job"
	case !wellFormed(order.ID(f.DeadLetter)):
		return "dead_letter"
	case f.At.IsZero():
		return "at"
	case f.Answer != "" && (!kindOf(f.Answer) || len(f.Steps) > 0):
		return "answer"
	case f.Answer == "" && len(f.Steps) == 0 || len(f.Steps) > maxNesting:
		return "steps"
	case order.TextFault(f.Carrier, 0, maxForecast) != "":
		return "carrier"
	case f.Edit < 0:
		return "edit"
	}
	for _, s := range f.Steps {
		fails, reason := s.Outcome == StepFails, s.Reason == "" || kindOf(s.Reason)
		if fails != (s.Reason != "") || !reason || !fails && s.Outcome != StepOK && s.Outcome != StepNotTried || len(s.Message) > maxForecast {
			return "step"
		}
	}
	return ""
}

// amount is an amount as a forecast has it: nothing if it is not known.
func amount(m order.Money) *money {
	if m.Currency == "" {
		return nil
	}
	return new(money(m))
}

type forecastValue struct {
	Schema     int         `json:"schema"`
	Job        string      `json:"job"`
	DeadLetter string      `json:"dead_letter"`
	At         string      `json:"at"`
	Answer     string      `json:"answer,omitempty"`
	Steps      []stepValue `json:"steps"`
	Shipping   *money      `json:"shipping,omitempty"`
	Total      *money      `json:"total,omitempty"`
	Carrier    string      `json:"carrier,omitempty"`
	Edit       int         `json:"edit,omitempty"`
}

type stepValue struct {
	Step    order.Step  `json:"step,omitempty"`
	Outcome StepOutcome `json:"outcome"`
	Class   string      `json:"class,omitempty"`
	Reason  string      `json:"reason,omitempty"`
	Message string      `json:"message,omitempty"`
}
