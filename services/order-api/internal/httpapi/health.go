package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/telemetry"
)

func (a *api) live(c echo.Context) error {
	return c.JSON(http.StatusOK, struct {
		Status string `json:"status"`
	}{"live"})
}

// readyWithin limits Config.Ready: probes time out after a few seconds.
const readyWithin = 2 * time.Second

// blocked is a partition that the read model cannot read further.
type blocked struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Reason    string `json:"reason"`
}

// ready fails while new orders are refused, and while the read model is too old to place orders
// with a key. A blocked partition affects only its own orders: it is listed, and does not fail the
// probe.
func (a *api) ready(c echo.Context) error {
	if a.Ready != nil {
		ctx, cancel := context.WithTimeout(c.Request().Context(), readyWithin)
		defer cancel()
		if err := a.Ready(ctx); err != nil {
			a.Log.LogAttrs(ctx, slog.LevelWarn, "not ready", slog.String(telemetry.Error, err.Error()))
			return newProblem(unavailable, "no client can connect to Kafka")
		}
	}
	if a.intake.Blocked() != nil {
		return newProblem(unavailable, repartitioned)
	}
	h := a.view.Health()
	progress := ""
	if h.Progress != "" {
		progress = ": " + h.Progress
	}
	if h.Trouble != "" {
		return newProblem(unavailable, "the read model is not up to date: "+h.Trouble+progress)
	}
	if time.Since(h.Fresh) > view.MaxAge {
		return newProblem(unavailable, "the read model has not caught up with Kafka"+progress)
	}
	return c.JSON(http.StatusOK, struct {
		Status  string    `json:"status"`
		Lag     int64     `json:"lag"`
		Stale   int64     `json:"stale_states"`
		Blocked []blocked `json:"blocked"`
	}{"ready", h.Lag, h.Stale, each(a.view.Blocked(), func(b view.Blocked) blocked { return blocked(b) })})
}
