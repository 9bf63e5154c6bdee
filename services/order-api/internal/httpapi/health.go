package httpapi

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/internal/view"
)

func (a *api) live(c echo.Context) error {
	return c.JSON(http.StatusOK, struct {
		Status string `json:"status"`
	}{"live"})
}

// ready is refused while no orders are taken, and while the view is too old to take orders with a key.
func (a *api) ready(c echo.Context) error {
	if a.intake.Blocked() != nil {
		return newProblem(unavailable, repartitioned)
	}
	h := a.view.Health()
	if time.Since(h.Fresh) > view.MaxAge {
		return newProblem(unavailable, "the view has not caught up with Kafka")
	}
	return c.JSON(http.StatusOK, struct {
		Status string `json:"status"`
		Lag    int64  `json:"lag"`
		Void   int64  `json:"void_states"`
	}{"ready", h.Lag, h.Void})
}
