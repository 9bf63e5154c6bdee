// Package web is what TestPagesAddLessThanAMegabyte compiles in place of the pages: the same names, and no pages.
package web

import (
	"context"
	"errors"
	"log/slog"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/httpapi"
)

type Config struct {
	Log     *slog.Logger
	Inbox   string
	Breaker Breaker
}

type Breaker interface {
	Breaking() Breaking
	AddWorker() error
	EndWorker(pid int, kill bool) error
	Behave(name string)
	Place(orders, rate int) error
	PlaceBad(ctx context.Context) error
}

type Breaking struct {
	Workers                []int
	Mail                   string
	Total, Placed, Refused int
}

var (
	ErrNoWorker    = errors.New("no worker")
	ErrManyWorkers = errors.New("many workers")
	ErrPlacing     = errors.New("placing")
)

func MailBehaviours() [][2]string { return nil }

type Pages struct{ front httpapi.Front }

func New(Config) (*Pages, error) { return new(Pages), nil }

func (p *Pages) Pages(f httpapi.Front) []httpapi.Page { p.front = f; return nil }

func (p *Pages) Problem(c echo.Context, problem *client.Problem) error {
	return c.NoContent(problem.Status)
}
