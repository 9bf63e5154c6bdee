package httpapi

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// parameters reads the query of a request. The first thing that is wrong stays in wrong.
type parameters struct {
	c     echo.Context
	wrong error
}

// query begins to read a query of known parameters, each at most once. What is not encoded as it must be, or misspelt, would
// be missing, and a filter with it.
func query(c echo.Context, known ...string) parameters {
	p := parameters{c: c}
	given, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		p.refuse("the query is not URL-encoded")
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(known, name) {
			p.refuse("the query has a parameter that is none of %v", known)
		}
		if len(given[name]) > 1 {
			p.refuse("%s is given twice", name)
		}
	}
	return p
}

func (p *parameters) refuse(format string, args ...any) {
	if p.wrong == nil {
		p.wrong = newProblem(badParameter, fmt.Sprintf(format, args...))
	}
}

const (
	defaultLimit = 50
	maxLimit     = 200
)

func (p *parameters) limit() int {
	text := p.c.QueryParam("limit")
	if text == "" {
		return defaultLimit
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		p.refuse("limit must be a whole number from 1 to %d", maxLimit)
	}
	return n
}

func (p *parameters) moment(name string) time.Time {
	text := p.c.QueryParam(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		p.refuse("%s must be a time such as 2026-03-01T12:00:00Z", name)
	}
	return t
}

// oneOf reads a value of a closed list, or "".
func oneOf[T ~string](p *parameters, name string, known ...T) T {
	text := T(p.c.QueryParam(name))
	if text == "" {
		return ""
	}
	for _, k := range known {
		if k == text {
			return k
		}
	}
	p.refuse("%s must be one of %v", name, known)
	return ""
}
