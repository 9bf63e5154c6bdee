package web

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/look"
	"example.com/orders/shared/order"
)

// causeTitles are what causes are called, by their reasons.
var causeTitles = map[failure.Reason]string{
	failure.Internal: "A step failed unexpectedly", failure.Undecodable: "Record is not an order", failure.WrongPartition: "Record is in the wrong partition",
	failure.NoRoute: "No shipping route to the address", failure.TooHeavy: "Parcel is too heavy or too large for every carrier",
	failure.RecipientRefused: "Mail server refused the recipient", failure.MailRejected: "Mail server rejected the mail",
	failure.MailBusy: "Mail server was busy for too long", failure.Uncertain: "Mail outcome is unknown", failure.MailAway: "Mail server could not be reached",
	failure.TooLarge: "Record is too large for its topic", failure.InvoiceGone: "Issued invoice is gone", failure.RenderRefused: "Invoice could not be rendered",
}

// causeTitle is what a cause is called. Other programs have reasons of their own.
func causeTitle(reason string) string {
	return cmp.Or(causeTitles[failure.Reason(reason)], reason, "No reason is known")
}

// deadLetterStates are the look and the words of the states of dead letters.
var deadLetterStates = map[view.DeadLetterState]stateWords{
	view.Open: {"dead", "open"}, view.Lost: {"warn", "record deleted"}, view.Parked: {"closed", "parked"}, view.Replayed: {"run", "in flight"},
	view.SentOn: {"ok", "sent"}, view.Discarded: {"closed", "discarded"}, view.Closed: {"closed", "closed"},
}

// phases are the look and the words of the phases of replay jobs.
var phases = map[string]stateWords{
	"ramping": {"run", "running, ramp"}, "running": {"run", "running"}, "waiting": {"wait", "waiting"}, "stalled": {"warn", "stalled"},
	"paused": {"wait", "paused"}, "halted": {"dead", "stopped by its rule"}, "cancelled": {"closed", "cancelled"}, "done": {"ok", "done"},
}

// results are the look and the words of the results of replays.
var results = map[string]stateWords{
	"in-progress": {"run", "in progress"}, "confirmed": {"ok", "confirmed"}, "failed-again": {"dead", "failed again"}, "already-done": {"closed", "already done"},
	"cancelled": {"closed", "cancelled"}, "conflict": {"warn", "not done: the order had changed"}, "erased": {"closed", "order erased"}, "sent": {"ok", "sent"},
}

// outcomes are the look and the words of the outcomes of acts.
var outcomes = map[string]stateWords{"done": {"ok", "done"}, "refused": {"closed", "refused"}, "unknown": {"warn", "not known"}}

// steps are the look and the words of the steps of a ramp. Without a stop rule none is passed.
var rampSteps = map[string]stateWords{"passed": {"ok", "passed"}, "complete": {"closed", "complete"}, "running": {"run", "running"}, "halted": {"dead", "stopped"}, "not-begun": {"todo", "not begun"}}

type stateWords struct{ kind, words string }

// Strip is the class of a strip that tells of the state.
func (w stateWords) Strip() string {
	if w.kind == "warn" {
		return "retry"
	}
	return w.kind
}

// wording is the state of a table, or the bare name of one that it does not have.
func wording[K ~string](table map[K]stateWords, name string) stateWords {
	if w, ok := table[K(name)]; ok {
		return w
	}
	return stateWords{"todo", name}
}

// doneOf says how far an order was when it failed.
func doneOf(s *order.State) string {
	if s == nil {
		return ""
	}
	mail := ""
	if e := s.Progress.Email; e != nil && e.Uncertain > 0 {
		mail = " The outcome of " + count(e.Uncertain, "mail") + " is not known."
	}
	switch {
	case s.Status == order.Confirmed:
		return "The order is confirmed."
	case s.Progress.Issued():
		return "Shipping and invoice are done; only the mail is missing." + mail
	case s.Progress.Shipping != nil:
		return "Shipping is settled; no invoice is issued, and no mail was sent."
	}
	return "Nothing is settled yet: no price of shipping, no invoice, no mail."
}

// standing says what the state of a dead letter means.
func standing(l client.DeadLetter) string {
	switch view.DeadLetterState(l.State) {
	case view.Lost:
		return "Kafka has deleted its record: a replay uses the current state of the order."
	case view.Parked:
		return fmt.Sprintf("It is parked: it was replayed %d times without success.", l.Replays)
	case view.Replayed:
		return "A replay of it is in flight."
	case view.SentOn:
		return "It was sent to its topic: what its consumers do is not known here."
	case view.Closed:
		return "It is closed: its order has ended, or was erased."
	}
	return ""
}

// effects says what a replay does, and what it does not do.
func effects(l client.DeadLetter) (first, rest string) {
	n := l.NextReplay
	switch {
	case n == nil:
		return "", ""
	case l.Foreign != nil && l.Foreign.ReplayTo != "":
		return "A replay sends the record to " + l.Foreign.ReplayTo + ".", "What its consumers do with it is not known here."
	case l.Foreign != nil:
		return "A replay needs a topic to send the record to.", "Neither its headers nor the configuration name one."
	case n.Step == "":
		first = "A replay begins at the first step."
		if l.Reason == string(failure.Undecodable) {
			rest = "The record cannot be edited: it fails again until a newer worker can read it."
		}
		return first, rest
	}
	first, rest = "A replay resumes at "+n.Step+".", "What was done before does not change."
	for _, document := range n.Documents {
		rest += " It issues the " + strings.ReplaceAll(document, "-", " ") + "."
	}
	switch n.Mail {
	case "certain":
		rest += " The customer gets one mail."
	case "possible":
		rest += " The outcome of an earlier mail is not known: the customer may get one more."
	}
	return first, rest
}

// percent is a share in percent.
func percent(part, of int) string {
	if of == 0 {
		return "–"
	}
	return decimal(100*float64(part)/float64(of)) + "\u00a0%"
}

// share is a share between 0 and 1 in percent.
func share(of float64) string { return decimal(100*of) + "\u00a0%" }

// decimal is a number with at most one decimal.
func decimal(n float64) string { return strconv.FormatFloat(math.Round(10*n)/10, 'f', -1, 64) }

// number is a number with separators.
func number(n int) string { return look.Thousands(strconv.Itoa(n)) }

// about is a duration for people, in its largest unit.
func about(seconds float64) string {
	switch {
	case seconds < 90:
		return count(max(1, int(seconds)), "second")
	case seconds < 90*60:
		return count(int(seconds/60), "minute")
	case seconds < 48*3600:
		return count(int(seconds/3600), "hour")
	}
	return count(int(seconds/86400), "day")
}
