package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/desk"
	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
)

// DeadLetterFilter reads the filter of a list of dead letters from the query string, which may also
// have further parameters. A search needs the permission for personal data.
func (Front) DeadLetterFilter(c echo.Context, more ...string) (view.DeadLetterFilter, error) {
	f, _, err := deadLetterFilter(c, more...)
	return f, err
}

// Reason is nil for a reason of an act, or a problem with the field /reason. The reason is one line; it
// may be empty unless needed is true.
func (Front) Reason(reason string, needed bool) error {
	if !needed {
		return checkReason(reason, 0)
	}
	return checkReason(reason, 1)
}

// OrderOf returns the order of a dead letter as the visitor may see it, or nil if it has none.
func (f Front) OrderOf(c echo.Context, id string) (*order.State, error) {
	if id == "" {
		return nil, nil //nolint:nilnil // that is no error
	}
	s, err := f.view.Order(c.Request().Context(), order.ID(id))
	if errors.Is(err, view.ErrUnknown) { // erased
		return nil, nil //nolint:nilnil // that is no error
	}
	return new(visitorOf(c).shown(s)), err
}

// Edit stores an edit of the requested dead letter. A preview returns what it would be, and stores
// nothing.
func (f Front) Edit(c echo.Context, n client.NewEdit, preview bool) (client.EditResult, error) {
	id := c.Param("id")
	value, fault := editedValue(id, n.Value, n.Encoding)
	if fault != nil {
		return client.EditResult{}, invalidProblem(invalidEdit, []order.Invalid{*fault})
	}
	if err := f.Reason(n.Reason, false); err != nil {
		return client.EditResult{}, err
	}
	return f.EditDeadLetter(c, desk.NewEdit{DeadLetter: id, Version: n.Version, Value: value, Reason: n.Reason}, preview)
}

// Command changes the requested replay job: "pause", "resume", "cancel", or "rate" with another rate.
func (f Front) Command(c echo.Context, name, reason string, rate float64) error {
	if err := f.Reason(reason, false); err != nil {
		return err
	}
	if rate < 0 || rate > maxRate || math.IsNaN(rate) {
		return invalidProblem(invalidReplay, []order.Invalid{{Pointer: "/rate", Detail: fmt.Sprintf("must be a number from 0 to %d", maxRate)}})
	}
	k := commands[name]
	return f.CommandReplay(c, k.act, jobs.Event{Kind: k.event, Reason: reason, Rate: rate})
}

// Selected returns the causes of the dead letters that a replay job of a selection would have, and how
// many they are. IDs are not looked up: their causes are nil. It stores nothing, and its errors are
// those of StartReplay.
func (f Front) Selected(c echo.Context, n client.NewReplayJob) (causes []client.Group, total int, err error) {
	body, err := json.Marshal(n)
	if err != nil {
		return nil, 0, err
	}
	spec, err := f.newReplay(c, body)
	if err != nil || spec.IDs != nil {
		return nil, len(spec.IDs), err
	}
	causes, _, err = f.Groups(c, spec.Filter, maxIDs)
	for _, g := range causes {
		total += g.Total
	}
	return causes, total, err
}

// StartReplay begins a replay job as the API does, and returns its ID.
func (f Front) StartReplay(c echo.Context, n client.NewReplayJob) (string, error) {
	body, err := json.Marshal(n)
	if err != nil {
		return "", err
	}
	return f.createReplay(c, body)
}

// PreviewFix returns what a patch would do to what is selected, with the first results, for a visitor who may edit.
func (f Front) PreviewFix(c echo.Context, x client.Fix) (client.FixPreview, error) {
	if err := f.Needs(c, identity.EditDeadLetters); err != nil {
		return client.FixPreview{}, err
	}
	body, err := json.Marshal(x)
	if err != nil {
		return client.FixPreview{}, err
	}
	return f.preview(c.Request().Context(), body, "")
}

// Unfinished returns the newest replay jobs that have not ended as the visitor may see them, at most so
// many, and how many there are.
func (f Front) Unfinished(c echo.Context, most int) (all []client.ReplayJob, total int, err error) {
	jobs, _, err := f.view.Jobs(c.Request().Context(), view.JobFilter{Unfinished: true, Limit: maxRunning})
	if err != nil {
		return nil, 0, err
	}
	for _, j := range jobs[:min(most, len(jobs))] {
		job, err := f.Replay(c, j.ID)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, job)
	}
	return all, len(jobs), nil
}

// Dead is how many orders and refunds are dead.
func (f Front) Dead(c echo.Context) (int, error) {
	return f.view.Count(c.Request().Context(), order.Dead)
}

// Behind returns how many records the read model lacks, when Kafka was asked last, and the newest time at which it
// lacked none; zero before the first.
func (f Front) Behind() (records int64, fresh time.Time) {
	h := f.view.Health()
	return h.Lag, h.Fresh
}

// Needs is nil if the visitor has a permission.
func (Front) Needs(c echo.Context, p identity.Permission) error { return visitorOf(c).needs(p) }

// Least returns the role with the fewest permissions that has one of them.
func Least(needed identity.Permission) identity.Role {
	for _, r := range identity.Roles() {
		if r.Has(needed) {
			return r
		}
	}
	return ""
}
