package web

import (
	"slices"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/order"
)

// forecast is what a dry run has found out.
type forecast struct {
	Job   client.ReplayJob
	Tried int
	Steps []stepForecast
	Other []tally // answers with which replays would be refused
}

// stepForecast is what a dry run has found out about a step.
type stepForecast struct {
	Step           string
	Pass, Fail, No int // No: not tried, or not yet
	Why            []tally
}

// tally is a reason, with how often it was given.
type tally struct {
	Reason string
	N      int
}

// forecast sums up a dry run of so many dead letters as are selected.
func (p *Pages) forecast(c echo.Context, id string, selected int) (*forecast, error) {
	job, err := p.front.Replay(c, id)
	if err != nil {
		return nil, err
	}
	all, err := p.front.Forecasts(c, id, -1, maxForecasts)
	if err != nil {
		return nil, err
	}
	f := &forecast{Job: job, Tried: len(all.Forecasts)}
	for _, s := range order.Steps() {
		f.Steps = append(f.Steps, stepForecast{Step: string(s), No: max(0, selected-f.Tried)})
	}
	for _, one := range all.Forecasts {
		if one.Answer != "" {
			f.Other = counted(f.Other, one.Answer)
		}
		for _, s := range one.Steps {
			f.add(s)
		}
	}
	return f, nil
}

// add counts the forecast of a step. One without a name is of a record that is no order. After a step that fails
// no other one is tried.
func (f *forecast) add(s client.ForecastStep) {
	i := slices.IndexFunc(f.Steps, func(have stepForecast) bool { return have.Step == s.Step })
	if i < 0 {
		f.Other = counted(f.Other, s.Reason)
		return
	}
	at := &f.Steps[i]
	switch s.Outcome {
	case "ok":
		at.Pass++
	case "fails":
		at.Fail++
		at.Why = counted(at.Why, s.Reason)
		later := f.Steps[i+1:]
		for j := range later {
			later[j].No++
		}
	default:
		at.No++
	}
}

func counted(all []tally, reason string) []tally {
	for i := range all {
		if all[i].Reason == reason {
			all[i].N++
			return all
		}
	}
	return append(all, tally{reason, 1})
}

// Running reports whether there may be more results.
func (f *forecast) Running() bool { return f.Job.Counts.NotSent+f.Job.Counts.InProgress > 0 }
