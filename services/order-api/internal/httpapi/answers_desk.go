package httpapi

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/edit"
	"example.com/orders/services/order-api/internal/edit/jsondiff"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/mask"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/wire"
)

func toDeadLetter(l view.DeadLetter) client.DeadLetter {
	answer := client.DeadLetter{
		ID: l.ID(), State: string(l.State), Order: string(l.Order), Cause: l.CauseID, Step: string(l.Step), Class: l.Class.String(),
		Reason: string(l.Reason), Message: l.Message, Attempts: l.Attempts, FirstFailed: l.FirstFailed, LastFailed: l.LastFailed,
		Worker: l.Worker, Replays: l.Replays, Partition: l.Partition, Offset: l.Offset, Notes: l.Notes,
		TraceID: traceID(l.DeadLetter.Cause.Trace), Job: l.Job,
	}
	if l.Edit != nil {
		answer.Edits = l.Edit.Version
	}
	if d := l.Discard; d != nil && l.State == view.Discarded {
		answer.Discarded = &client.Discarded{At: d.At, By: d.Cause.Actor.String(), Reason: d.Text}
	}
	return answer
}

// toRecord encodes key and value as text if both are valid UTF-8, else as base64.
func toRecord(key, value []byte) *client.Record {
	if utf8.Valid(key) && utf8.Valid(value) {
		return &client.Record{Key: string(key), Value: string(value), Encoding: utf8Encoding}
	}
	text := base64.StdEncoding.EncodeToString
	return &client.Record{Key: text(key), Value: text(value), Encoding: base64Encoding}
}

// toHeader encodes a header. The name is that of another program, too.
func toHeader(name string, value []byte) client.Header {
	text, encoding := encoded(value)
	return client.Header{Name: name, Value: text, Encoding: encoding}
}

func encoded(value []byte) (text, encoding string) {
	if utf8.Valid(value) {
		return string(value), utf8Encoding
	}
	return base64.StdEncoding.EncodeToString(value), base64Encoding
}

func toNextReplay(e desk.Effects) *client.NextReplay {
	next := &client.NextReplay{Step: string(e.Step), Mail: string(e.Mail), Documents: []string{}}
	if e.Document != "" {
		next.Documents = append(next.Documents, e.Document)
	}
	return next
}

// editable is what can be edited of a dead letter, or nil. whole has the record, if it is not gone.
func (a *api) editable(ctx context.Context, l, whole view.DeadLetter) (*client.Editable, error) {
	answer := &client.Editable{Locked: []string{}}
	if l.Edit != nil {
		answer.Version = l.Edit.Version
	}
	if l.Foreign != "" {
		value := whole.Value
		if l.Edit != nil {
			value = l.Edit.Value
		}
		text, encoding := encoded(value)
		answer.Encoding = encoding
		answer.Value, _ = json.Marshal(text) // a string
		return answer, nil
	}
	base, err := a.Decisions.Base(ctx, l)
	if err == nil {
		answer.Locked = append(answer.Locked, base.Locked...)
		answer.Value, err = base.Document()
	}
	if errors.Is(err, edit.ErrNotEditable) {
		return nil, nil //nolint:nilnil // that is no error: there is nothing to edit
	}
	return answer, err
}

// history is what happened to a dead letter, as the visitor may see it.
func (v visitor) history(h desk.History) *client.History {
	return &client.History{
		Failures: each(h.Failures, v.failure), Replays: each(h.Replays, toReplay), Edits: each(h.Edits, v.edit), Notes: each(h.Notes, v.note),
	}
}

func (v visitor) failure(f view.Failure) client.Failure {
	return client.Failure{
		Replay: f.Number, At: f.At, Step: string(f.Step), Reason: string(f.Reason), Message: v.personal(f.Message), Version: f.Edit,
	}
}

func toReplay(r desk.Replayed) client.Replay {
	answer := client.Replay{Replay: r.Number, Job: r.Job, Version: r.Version, Result: string(r.Outcome)}
	if r.Outcome.Final() {
		answer.At = r.At
	} else {
		answer.Result = "in-progress"
	}
	return answer
}

func (v visitor) edit(e desk.EditedVersion) client.Edit {
	return client.Edit{
		Version: e.Version, At: e.At, By: e.Cause.Actor.String(), Reason: v.personal(e.Text), Changes: each(e.Changes, v.change),
	}
}

// change is a difference between two versions, as the visitor may see it.
func (v visitor) change(ch jsondiff.Change) client.ValueChange {
	shown := toChangedValue(ch)
	if v.May(identity.ReadPersonal) || mask.Public(ch.Pointer) {
		return shown
	}
	hidden, _ := json.Marshal(mask.Hidden)
	if shown.Before != nil {
		shown.Before = hidden
	}
	if shown.After != nil {
		shown.After = hidden
	}
	return shown
}

func (v visitor) note(d wire.Decision) client.Note {
	return client.Note{At: d.At, By: d.Cause.Actor.String(), Text: v.personal(d.Text)}
}

func (v visitor) group(own string) func(g view.Group, notes []wire.Decision, hours time.Time) client.Group {
	return func(g view.Group, notes []wire.Decision, hours time.Time) client.Group {
		topic := g.Foreign
		if topic == "" {
			topic = own
		}
		n := func(s view.DeadLetterState) int { return g.Counts[s] }
		return client.Group{
			ID: g.ID, Topic: topic, Step: string(g.Step), Reason: string(g.Reason), Class: g.Class.String(), Message: v.personal(g.Text), Total: g.Total(),
			Counts: client.GroupCounts{
				Open: n(view.Open), Lost: n(view.Lost), Parked: n(view.Parked), Replayed: n(view.Replayed), Closed: n(view.Closed),
				Discarded: n(view.Discarded), Sent: n(view.SentOn),
			},
			FirstFailed: g.First, LastFailed: g.Last, Hours: g.Hours, HoursFrom: hours, Replayed: g.Replayed, ReplayedConfirmed: g.Confirmed,
			Notes: each(notes, v.note), Assigned: toAssigned(g.Assigned),
		}
	}
}

// toAssigned is who looks into a cause, or nil.
func toAssigned(d *wire.Decision) *client.Assigned {
	if d == nil || d.Text == "" {
		return nil
	}
	return &client.Assigned{To: d.Text, At: d.At, By: d.Cause.Actor.String()}
}

// toForeign is what the headers of a dead letter of another program say.
func toForeign(l view.DeadLetter) *client.Foreign {
	f := &client.Foreign{Dialect: cmp.Or(l.Worker, "unknown"), SourceTopic: l.Topic, ConsumerGroup: l.Group}
	if l.Topic != "" && l.Origin.Partition >= 0 && l.Origin.Offset >= 0 {
		f.SourcePartition, f.SourceOffset = new(l.Origin.Partition), new(l.Origin.Offset)
	}
	return f
}
