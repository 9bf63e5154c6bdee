package httpapi

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// parameters reads the query string of a request.
type parameters struct {
	c     echo.Context
	wrong error // the first fault, or nil
}

// query checks that the query string has only known parameters, each at most once and not empty. A
// parameter that was ignored would widen the list.
func query(c echo.Context, known ...string) parameters {
	p := parameters{c: c}
	given, err := url.ParseQuery(c.Request().URL.RawQuery)
	if err != nil {
		p.refuse("the query string is not valid URL encoding")
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(known, name) {
			p.refuse("unknown parameter in the query string; the known ones are: %s", strings.Join(known, ", "))
		}
		if len(given[name]) > 1 {
			p.refuse("%s appears twice", name)
		}
		if given[name][0] == "" {
			p.refuse("%s must not be empty: omit it instead", name)
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

func (p *parameters) time(name string) time.Time {
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

// maxText limits search texts, in characters: no searched field is longer.
const maxText = 200

// text is a parameter that is free text, or "".
func (p *parameters) text(name string) string { return p.within(name, maxText) }

// within is a parameter that is text of at most a number of characters, or "".
func (p *parameters) within(name string, most int) string {
	text := p.c.QueryParam(name)
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > most {
		p.refuse("%s must be text of 1 to %d characters", name, most)
	}
	return text
}

// oneOf is a parameter with one of the known values, or "".
func oneOf[T ~string](p *parameters, name string, known ...T) T {
	text := T(p.c.QueryParam(name))
	if text == "" {
		return ""
	}
	if !slices.Contains(known, text) {
		p.refuse("%s must be one of: %s", name, strings.Join(each(known, func(k T) string { return string(k) }), ", "))
	}
	return text
}
