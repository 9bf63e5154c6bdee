package httpapi

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/order"
)

// classes are the classes of failures that dead letters have.
var classes = []failure.Class{failure.Transient, failure.Permanent, failure.Down}

// filterParameters are the parameters of a list of dead letters.
var filterParameters = []string{"state", "step", "class", "reason", "cause", "topic", "q", "from", "to"}

// deadLetterFilter reads the filter of a list, with further parameters that the route knows. A search
// needs the permission for personal data: the answer would tell what is masked.
func deadLetterFilter(c echo.Context, more ...string) (view.DeadLetterFilter, parameters, error) {
	q := query(c, append(slices.Clone(filterParameters), more...)...)
	f := view.DeadLetterFilter{
		Step: oneOf(&q, "step", order.Steps()...), Reason: failure.Reason(q.text("reason")), Cause: q.within("cause", maxCause), Topic: q.within("topic", maxTopic),
		Text: q.text("q"), From: q.time("from"), To: q.time("to"), Class: q.class("class"),
	}
	if text := c.QueryParam("state"); text != "" {
		for state := range strings.SplitSeq(text, ",") {
			f.States = append(f.States, stateOf(state, func(detail string) { q.refuse("state %s", detail) }))
		}
	}
	if q.wrong == nil && f.Text != "" && !visitorOf(c).May(identity.ReadPersonal) {
		return f, q, &forbiddenError{identity.ReadPersonal}
	}
	return f, q, q.wrong
}

// stateOf is a state of dead letters by its name.
func stateOf(name string, wrong func(detail string)) view.DeadLetterState {
	known := view.DeadLetterStates()
	if !slices.Contains(known, view.DeadLetterState(name)) {
		wrong("must be one or more of: " + strings.Join(each(known, func(s view.DeadLetterState) string { return string(s) }), ", "))
	}
	return view.DeadLetterState(name)
}

// class is a parameter with a class of failures, or nil.
func (p *parameters) class(name string) *failure.Class {
	text := oneOf(p, name, each(classes, failure.Class.String)...)
	return classOf(text)
}

func classOf(name string) *failure.Class {
	for _, c := range classes {
		if c.String() == name {
			return &c
		}
	}
	return nil
}

// Limits of selections.
const (
	maxTopic     = 249    // of a name of a topic, in Kafka
	maxCause     = 100    // of the ID of a group
	maxIDs       = 10_000 // of a selection
	maxID        = 300
	maxSelection = 256 // of its text for people, in characters
)

// selection is what somebody wants to replay or to fix: IDs, or a filter.
type selection struct {
	ids    []string
	filter *view.DeadLetterFilter
	all    bool
}

// read are the fields of a selection.
func (s *selection) read(d *decoder) func(at string) {
	return func(at string) {
		d.object(at, fields{
			"ids": d.texts(&s.ids, maxIDs, maxID), "all": d.flag(&s.all),
			"filter": func(at string) { s.filter = readFilter(d, at) },
		})
		given := 0
		for _, has := range []bool{s.ids != nil, s.filter != nil, s.all} {
			if has {
				given++
			}
		}
		if given != 1 {
			d.add(at, "must have exactly one of ids, filter and all")
		}
	}
}

func readFilter(d *decoder, at string) *view.DeadLetterFilter {
	var f view.DeadLetterFilter
	var states []string
	var step, class, reason string
	within := func(most int) func(string) string {
		return func(text string) string { return order.TextFault(text, 1, most) }
	}
	d.object(at, fields{
		"states": d.texts(&states, len(view.DeadLetterStates()), maxText), "step": d.text(&step), "class": d.text(&class),
		"reason": d.checkedText(&reason, within(maxText)), "cause": d.checkedText(&f.Cause, within(maxCause)),
		"q": d.checkedText(&f.Text, within(maxText)), "topic": d.checkedText(&f.Topic, within(maxTopic)),
		"from": d.moment(&f.From), "to": d.moment(&f.To),
	})
	for i, s := range states {
		f.States = append(f.States, stateOf(s, func(detail string) { d.add(fmt.Sprintf("%s/states/%d", at, i), detail) }))
	}
	if f.Step = order.Step(step); step != "" && !slices.Contains(order.Steps(), f.Step) {
		d.add(at+"/step", "must be the name of a step")
	}
	if f.Class = classOf(class); class != "" && f.Class == nil {
		d.add(at+"/class", "must be transient, permanent or down")
	}
	f.Reason = failure.Reason(reason)
	return &f
}

// empty reports whether a selection names nothing: a filter without fields is more likely a mistake
// than all.
func (s *selection) empty() bool {
	f := s.filter
	return f != nil && f.States == nil && f.Step == "" && f.Class == nil && f.Reason == "" && f.Cause == "" && f.Topic == "" && f.Text == "" &&
		f.From.IsZero() && f.To.IsZero()
}

// filtered is the filter of a selection without IDs: without states, of what can be replayed. All are
// those of this application.
func (s *selection) filtered(override bool, own string) view.DeadLetterFilter {
	f := view.DeadLetterFilter{Topic: own}
	if s.filter != nil {
		f = *s.filter
	}
	if f.States == nil {
		f.States = []view.DeadLetterState{view.Open, view.Lost}
		if override {
			f.States = append(f.States, view.Parked)
		}
	}
	return f
}

// String is the selection for people.
func (s *selection) String() string {
	switch {
	case s.all:
		return "all"
	case len(s.ids) == 1:
		return s.ids[0]
	case s.filter == nil:
		return fmt.Sprintf("%d IDs", len(s.ids))
	}
	f := s.filter
	var all []string
	add := func(name, value string) {
		if value != "" {
			all = append(all, name+" "+value)
		}
	}
	add("state", strings.Join(each(f.States, func(s view.DeadLetterState) string { return string(s) }), ","))
	add("cause", f.Cause)
	add("step", string(f.Step))
	if f.Class != nil {
		add("class", f.Class.String())
	}
	add("reason", string(f.Reason))
	add("topic", f.Topic)
	add("words", f.Text)
	if !f.From.IsZero() {
		add("from", f.From.UTC().Format(time.RFC3339))
	}
	if !f.To.IsZero() {
		add("to", f.To.UTC().Format(time.RFC3339))
	}
	text := []rune(strings.Join(all, ", "))
	return string(text[:min(len(text), maxSelection)])
}
