package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/contrast"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/wire"
)

// groupPage is the body of a list of causes.
type groupPage struct {
	Groups []client.Group `json:"groups"`
	Total  int            `json:"total"`
}

func (a *api) listGroups(c echo.Context) error {
	f, q, err := deadLetterFilter(c, "limit")
	if err != nil {
		return err
	}
	limit := q.limit()
	if q.wrong != nil {
		return q.wrong
	}
	groups, total, err := a.Groups(c, f, limit)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, groupPage{groups, total})
}

// Groups returns the causes of the dead letters of a filter as the visitor may see them, the most
// frequent first, and at most so many; and how many there are.
func (a *api) Groups(c echo.Context, f view.DeadLetterFilter, limit int) (all []client.Group, total int, err error) {
	ctx, hours := c.Request().Context(), firstHour()
	groups, err := a.view.Groups(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	slices.SortStableFunc(groups, func(x, y view.Group) int { return cmp.Compare(y.Total(), x.Total()) })
	all = []client.Group{}
	show := visitorOf(c).group(a.DeadLetters)
	for _, g := range groups[:min(limit, len(groups))] {
		notes, err := a.newestNotes(ctx, g)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, show(g, notes, hours))
	}
	return all, len(groups), nil
}

// firstHour is when the first of the hours begins in which the dead letters of a cause are counted.
func firstHour() time.Time { return time.Now().UTC().Truncate(time.Hour).Add(-23 * time.Hour) }

func (a *api) getGroup(c echo.Context) error {
	if q := query(c); q.wrong != nil {
		return q.wrong
	}
	answer, err := a.Group(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, answer)
}

// Group returns the requested cause as the visitor may see it, with what its orders have in common, and
// the replay job that runs.
func (a *api) Group(c echo.Context) (answer client.GroupDetails, err error) {
	ctx, hours := c.Request().Context(), firstHour()
	g, err := a.Decisions.Group(ctx, c.Param("id"))
	if err != nil {
		return answer, err
	}
	notes, err := a.newestNotes(ctx, g)
	if err != nil {
		return answer, err
	}
	dead, confirmed, err := a.view.Samples(ctx, g.ID)
	if err != nil {
		return answer, err
	}
	answer = client.GroupDetails{
		Group: visitorOf(c).group(a.DeadLetters)(g, notes, hours),
		Common: each(contrast.Of(dead, confirmed), func(d contrast.Difference) client.Common {
			return client.Common{Field: d.Field, Value: d.Value, Share: d.Share, Confirmed: d.Other}
		}),
	}
	answer.Job, err = a.runningJob(ctx, g.ID)
	return answer, err
}

// maxRunning is how many unfinished jobs are looked at.
const maxRunning = 100

// runningJob is the ID of the newest unfinished job that was started for a cause, or empty.
func (a *api) runningJob(ctx context.Context, cause string) (string, error) {
	all, _, err := a.view.Jobs(ctx, view.JobFilter{Unfinished: true, Limit: maxRunning})
	for _, j := range all {
		if slices.Contains(strings.Split(j.Selection, ", "), "cause "+cause) {
			return j.ID, err
		}
	}
	return "", err
}

// maxNotes is how many notes a list of causes shows of each.
const maxNotes = 10

// newestNotes are the newest notes about a cause, newest first.
func (a *api) newestNotes(ctx context.Context, g view.Group) ([]wire.Decision, error) {
	if g.Notes == 0 {
		return nil, nil
	}
	notes, err := a.view.Decisions(ctx, g.ID)
	notes = slices.DeleteFunc(notes, func(d wire.Decision) bool { return d.Kind != wire.Note })
	slices.Reverse(notes)
	return notes[:min(maxNotes, len(notes))], err
}
