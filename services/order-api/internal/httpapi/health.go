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

// blocked is a partition that the view cannot read on.
type blocked struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Reason    string `json:"reason"`
}

// ready is refused while the view is too old to take orders with a key.
func (a *api) ready(c echo.Context) error {
	h := a.view.Health()
	if time.Since(h.Fresh) > view.MaxAge {
		return newProblem(unavailable, "the view has not caught up with Kafka")
	}
	all := []blocked{}
	for _, b := range a.view.Blocked() {
		all = append(all, blocked(b))
	}
	return c.JSON(http.StatusOK, struct {
		Status  string    `json:"status"`
		Lag     int64     `json:"lag"`
		Void    int64     `json:"void_states"`
		Blocked []blocked `json:"blocked"`
	}{"ready", h.Lag, h.Void, all})
}
