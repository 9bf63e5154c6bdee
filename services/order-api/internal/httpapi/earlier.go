package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
)

// errEarlier is that the API of the earlier prefix gives no answer.
var errEarlier = errors.New("asking the API of the earlier prefix")

// errHere is that the earlier API knows neither the order nor the key: the request is answered here.
var errHere = errors.New("unknown at the earlier API")

// askEarlier has the API of the earlier prefix answer requests about orders that this prefix does not have, and orders
// with a key, which can have been used there: an order that was placed there is not placed here again. The earlier API
// checks the credentials itself. It must be closed to new orders: otherwise it would place them.
func (a *api) askEarlier(next echo.HandlerFunc) echo.HandlerFunc {
	if a.Earlier == nil {
		return next
	}
	return func(c echo.Context) error {
		if !a.concernsEarlier(c) {
			return next(c)
		}
		body, err := io.ReadAll(c.Request().Body) // admit has read it
		if err != nil {
			return err
		}
		switch err := a.forward(c, body); {
		case errors.Is(err, errHere):
			c.Request().Body = io.NopCloser(bytes.NewReader(body))
			return next(c)
		case err != nil:
			return fmt.Errorf("%w: %w", errEarlier, err)
		}
		return nil
	}
}

// concernsEarlier reports whether a request may concern an order of the earlier prefix.
func (a *api) concernsEarlier(c echo.Context) bool {
	r := c.Request()
	if r.Method == http.MethodPost && c.Path() == "/v1/orders" {
		return r.Header.Get("Idempotency-Key") != ""
	}
	if !strings.HasPrefix(strings.TrimPrefix(c.Path(), "/v1"), "/orders/:id") {
		return false
	}
	_, err := a.view.Order(r.Context(), order.ID(c.Param("id")))
	return errors.Is(err, view.ErrUnknown)
}

// forward sends a request to the earlier API and passes its answer on, unless that is errHere.
func (a *api) forward(c echo.Context, body []byte) (failed error) {
	proxy := httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(a.Earlier)
			p.Out.Host = p.In.Host // the origin of forms, and links in answers
			p.Out.Body = io.NopCloser(bytes.NewReader(body))
			p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
			p.SetXForwarded()
		},
		ModifyResponse: func(resp *http.Response) error {
			if resp.StatusCode == http.StatusNotFound || isClosed(resp) {
				return errHere
			}
			for name := range resp.Header {
				c.Response().Header().Del(name) // set by setHeaders
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err },
	}
	proxy.ServeHTTP(c.Response(), c.Request())
	return failed
}

// isClosed reports whether an answer is the problem "closed". Its body can be read again.
func isClosed(resp *http.Response) bool {
	if resp.StatusCode != closed.status {
		return false
	}
	const most = 64 << 10 // of a problem
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), resp.Body), resp.Body}
	var p client.Problem
	return err == nil && json.Unmarshal(body, &p) == nil && p.Type == "/problems/"+closed.name
}
