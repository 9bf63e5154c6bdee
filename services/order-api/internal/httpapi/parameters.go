package httpapi

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

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
			p.refuse("%s appears twice", name)
		}
		// Taken for none at all it would widen what is listed.
		if given[name][0] == "" {
			p.refuse("%s is empty: leave it out", name)
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

// maxText bounds a text to search for, in characters: what is searched is no longer.
const maxText = 200

// text reads a text, or "".
func (p *parameters) text(name string) string {
	text := p.c.QueryParam(name)
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxText {
		p.refuse("%s must be text of 1 to %d characters", name, maxText)
	}
	return text
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
