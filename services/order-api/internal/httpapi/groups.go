package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
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
	ctx := c.Request().Context()
	hours := time.Now().UTC().Truncate(time.Hour).Add(-23 * time.Hour)
	groups, err := a.view.Groups(ctx, f)
	if err != nil {
		return err
	}
	slices.SortStableFunc(groups, func(x, y view.Group) int { return cmp.Compare(y.Total(), x.Total()) })
	page := groupPage{Groups: []client.Group{}, Total: len(groups)}
	show := visitorOf(c).group(a.DeadLetters)
	for _, g := range groups[:min(limit, len(groups))] {
		notes, err := a.newestNotes(ctx, g)
		if err != nil {
			return err
		}
		page.Groups = append(page.Groups, show(g, notes, hours))
	}
	return c.JSON(http.StatusOK, page)
}

// maxNotes is how many notes a list of causes shows of each.
const maxNotes = 10

// newestNotes are the newest notes about a cause, newest first.
func (a *api) newestNotes(ctx context.Context, g view.Group) ([]wire.Decision, error) {
	if g.Notes == 0 {
		return nil, nil
	}
	notes, err := a.view.Decisions(ctx, g.ID)
	slices.Reverse(notes)
	return notes[:min(maxNotes, len(notes))], err
}
