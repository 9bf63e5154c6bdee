package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/wire"
)

func (a *api) listForecasts(c echo.Context) error {
	q := query(c, "limit", "cursor")
	limit, after := q.limit(), q.position("cursor")-1
	if q.wrong != nil {
		return q.wrong
	}
	answer, err := a.Forecasts(c, c.Param("id"), after, limit)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, answer)
}

// Forecasts returns what a dry run has found out, as the visitor may see it: sums, and at most so many
// forecasts after an item; item -1 is before the first. A job that is no dry run has none.
func (a *api) Forecasts(c echo.Context, id string, after, limit int) (answer client.Forecasts, err error) {
	ctx := c.Request().Context()
	job, err := a.Jobs.Get(ctx, id)
	if err != nil {
		return answer, err
	}
	answer = client.Forecasts{Causes: []client.CauseForecast{}, Forecasts: []client.Forecast{}}
	if job.Kind != wire.JobDryRun {
		return answer, nil
	}
	all, _, err := a.view.JobForecasts(ctx, job.ID, -1, jobs.MaxDryRun)
	if err != nil {
		return answer, err
	}
	causes, err := a.causesOf(ctx, job)
	if err != nil {
		return answer, err
	}
	answer.Causes = sumForecasts(all, causes)
	page, last, err := a.view.JobForecasts(ctx, job.ID, after, limit)
	if err != nil {
		return answer, err
	}
	if v := visitorOf(c); len(page) > 0 {
		answer.Forecasts = each(page, func(f wire.Forecast) client.Forecast { return v.forecast(f, causes[f.DeadLetter]) })
	}
	if len(page) == limit && last < job.Total-1 {
		answer.Next = strconv.Itoa(last + 1)
	}
	return answer, nil
}

// position is a parameter with the position in a list where a page begins, or 0.
func (p *parameters) position(name string) int {
	text := p.c.QueryParam(name)
	n, err := strconv.Atoi(text)
	if text != "" && (err != nil || n < 0) {
		p.refuse("cursor is invalid: use the value of next from the previous page")
	}
	return max(n, 0)
}

// causesOf are the causes of the dead letters of a job, by their IDs.
func (a *api) causesOf(ctx context.Context, job jobs.Progress) (map[string]string, error) {
	ids, err := a.view.JobItems(ctx, &job.Job, 0, job.Total)
	if err != nil {
		return nil, err
	}
	causes := make(map[string]string, len(ids))
	for _, id := range ids {
		l, err := a.view.DeadLetter(ctx, id)
		if err != nil && !errors.Is(err, view.ErrUnknown) {
			return nil, err
		}
		causes[id] = l.CauseID
	}
	return causes, nil
}

// sumForecasts counts the forecasts of each cause, the most frequent cause first.
func sumForecasts(all []wire.Forecast, causes map[string]string) []client.CauseForecast {
	sums := map[string]*client.CauseForecast{}
	for _, cause := range causes {
		if sums[cause] == nil {
			sums[cause] = &client.CauseForecast{Cause: cause}
		}
		sums[cause].Selected++
	}
	for _, f := range all {
		s := sums[causes[f.DeadLetter]]
		if s == nil {
			continue
		}
		s.Tried++
		if view.Passes(&f) {
			s.WouldPass++
		} else {
			s.WouldFail++
		}
	}
	list := []client.CauseForecast{}
	for _, s := range sums {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(x, y client.CauseForecast) int {
		if x.Selected != y.Selected {
			return y.Selected - x.Selected
		}
		return strings.Compare(x.Cause, y.Cause)
	})
	return list
}

// forecast is what a replay would do, as the visitor may see it.
func (v visitor) forecast(f wire.Forecast, cause string) client.Forecast {
	answer := client.Forecast{DeadLetter: f.DeadLetter, Cause: cause, At: f.At, Answer: f.Answer, Steps: each(f.Steps, v.stepForecast)}
	if f.Shipping.Currency != "" {
		answer.Shipping = &client.ForecastShipping{Price: toMoney(f.Shipping), Carrier: f.Carrier}
	}
	if f.Total.Currency != "" {
		answer.Total = new(toMoney(f.Total))
	}
	return answer
}

func (v visitor) stepForecast(s wire.StepForecast) client.ForecastStep {
	return client.ForecastStep{Step: string(s.Step), Outcome: string(s.Outcome), Reason: s.Reason, Message: v.personal(s.Message)}
}
