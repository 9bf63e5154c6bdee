package httpapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/mask"
	"example.com/orders/services/order-api/internal/trail"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/wire"
)

// noteWriter is desk.Decisions.Note or NoteGroup.
type noteWriter func(ctx context.Context, id, text string) (wire.Decision, error)

func (a *api) listDeadLetters(c echo.Context) error {
	f, q, err := deadLetterFilter(c, "limit", "cursor")
	if err != nil {
		return err
	}
	if f.Limit, f.Cursor = q.limit(), c.QueryParam("cursor"); q.wrong != nil {
		return q.wrong
	}
	deadLetters, next, err := a.ListDeadLetters(c, f)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, deadLetterPage{deadLetters, next})
}

// ListDeadLetters returns a page of dead letters as the visitor may see them, and the cursor of the next one.
func (a *api) ListDeadLetters(c echo.Context, f view.DeadLetterFilter) ([]client.DeadLetter, string, error) {
	v := visitorOf(c)
	all, next, err := a.view.DeadLetters(c.Request().Context(), f)
	return each(all, func(l view.DeadLetter) client.DeadLetter { return a.deadLetter(v, l) }), next, err
}

func (a *api) getDeadLetter(c echo.Context) error {
	answer, err := a.DeadLetter(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, answer)
}

// DeadLetter returns the requested dead letter with its record, its history and what can be done, as
// the visitor may see them.
func (a *api) DeadLetter(c echo.Context) (answer client.DeadLetter, err error) {
	ctx, v := c.Request().Context(), visitorOf(c)
	l, err := a.view.DeadLetter(ctx, c.Param("id"))
	if errors.Is(err, view.ErrUnknown) {
		err = desk.ErrUnknown
	}
	if err != nil {
		return answer, err
	}
	answer = a.deadLetter(v, l)
	whole, err := a.desk.DeadLetter(ctx, c.Param("id"))
	_, lost := errors.AsType[*desk.LostError](err)
	switch {
	case err == nil:
		answer.Record = v.record(whole)
	case !lost:
		return answer, err
	case replayable(l): // of a record that is gone, everything else is shown; the view may not know yet
		answer.State = string(view.Lost)
	}
	h, err := a.desk.History(ctx, l)
	if err != nil {
		return answer, err
	}
	answer.History = v.history(h)
	if n := len(h.Replays); n > 0 {
		answer.Job = h.Replays[n-1].Job
	}
	if replayable(l) {
		answer.NextReplay = toNextReplay(desk.Next(l, h.Order))
	}
	if v.May(identity.ReadPersonal) && (replayable(l) || l.State == view.Discarded) {
		answer.Edit, err = a.editable(ctx, l, whole)
	}
	return answer, err
}

// replayable reports whether a dead letter waits for an operator.
func replayable(l view.DeadLetter) bool {
	return l.State == view.Open || l.State == view.Lost || l.State == view.Parked
}

// deadLetter is a dead letter as a visitor may see it. Its message can quote what a mail server
// answered.
func (a *api) deadLetter(v visitor, l view.DeadLetter) client.DeadLetter {
	answer := toDeadLetter(l)
	answer.Topic = cmp.Or(l.Foreign, a.DeadLetters)
	if l.Foreign != "" {
		answer.Foreign = toForeign(l)
		if to, by, err := a.Foreign.Target(l.Foreign, l.Topic); err == nil {
			answer.Foreign.ReplayTo, answer.Foreign.ReplayToBy = to, string(by)
		}
		answer.Foreign.ExpiresAt = a.Expiry.Deadline(l.Foreign, l.LastFailed)
	}
	answer.Message = v.personal(answer.Message)
	if answer.Discarded != nil {
		answer.Discarded.Reason = v.personal(answer.Discarded.Reason)
	}
	return answer
}

// personal is a text that may have personal data, as the visitor may see it.
func (v visitor) personal(text string) string {
	if v.May(identity.ReadPersonal) {
		return text
	}
	return mask.Text(text)
}

// record is the record that failed, as the visitor may see it. Headers of other programs can have
// personal data, too.
func (v visitor) record(l view.DeadLetter) *client.Record {
	key, value := l.Key, mask.LinkToken(l.Value)
	if !v.May(identity.ReadPersonal) {
		key, value = mask.Record(l.Key, l.Value)
	}
	record := toRecord(key, value)
	for _, h := range l.Headers {
		header := toHeader(h.Key, h.Value)
		if !v.May(identity.ReadPersonal) && l.Foreign != "" {
			header.Value, header.Encoding = mask.Text(header.Value), utf8Encoding
		}
		record.Headers = append(record.Headers, header)
	}
	return record
}

func (a *api) replayDeadLetter(c echo.Context) error {
	var reason string
	var override bool
	err := decodeBody(c.Request(), invalidReason, true, func(d *decoder) fields {
		return fields{"reason": d.line(&reason, 0), "override": d.flag(&override)}
	})
	if err != nil {
		return err
	}
	number, err := a.ReplayDeadLetter(c, reason, override)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, struct {
		DeadLetter string `json:"dead_letter"`
		Replay     int    `json:"replay"`
	}{c.Param("id"), number})
}

// ReplayDeadLetter replays the requested dead letter, and returns the number of the replay.
func (a *api) ReplayDeadLetter(c echo.Context, reason string, override bool) (number int, err error) {
	ctx, id := c.Request().Context(), c.Param("id")
	err = a.onDeadLetter(c, trail.Replay, reason, func() (err error) {
		if isForeign(id) {
			number, err = a.replayForeign(ctx, id, reason)
		} else {
			number, err = a.desk.Replay(ctx, id, override)
		}
		return err
	})
	return number, err
}

// replayForeign replays a dead letter of another program with a job, whose runner sends it in one
// transaction with its batch record. It returns the number of the replay.
func (a *api) replayForeign(ctx context.Context, id, reason string) (int, error) {
	l, err := a.Decisions.Find(ctx, id)
	switch {
	case err != nil:
	case l.State == view.Discarded:
		err = desk.ErrDiscarded
	case l.State == view.Lost:
		err = new(desk.LostError)
	case !replayable(l):
		err = desk.ErrClosed
	}
	if err == nil {
		_, err = a.Jobs.Create(ctx, jobs.Spec{IDs: []string{id}, Text: id, Topic: l.Foreign, Reason: reason})
	}
	return l.Replays + 1, jobError(err)
}

// traceID is the trace ID of a traceparent, or "".
func traceID(traceparent string) string {
	parts := strings.Split(traceparent, "-")
	if len(parts) < 4 || len(parts[1]) != 32 || strings.Trim(parts[1], "0123456789abcdef") != "" {
		return ""
	}
	return parts[1]
}
