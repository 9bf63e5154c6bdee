package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
)

// tolerance is how much a ratio may be worse than its baseline.
const tolerance = 0.15

// cost is what some work costs, and its floor. Less is better.
type cost struct {
	name        string
	unit        string // of both
	ours, floor float64
}

func (c cost) ratio() float64 { return c.ours / c.floor }

// baseline is the file of ratios that a guard compares with.
type baseline struct {
	Machine string             `json:"machine"` // where it was measured, and when
	Ratios  map[string]float64 `json:"ratios"`
}

// readBaseline reads the file of a baseline.
func readBaseline(file string) (l baseline, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return l, fmt.Errorf("%s: %w", file, err)
	}
	return l, nil
}

// write writes the ratios of costs to a file.
func (l baseline) write(file string, costs []cost) error {
	l.Ratios = map[string]float64{}
	for _, c := range costs {
		l.Ratios[c.name] = float64(int(c.ratio()*100+0.5)) / 100
	}
	var text bytes.Buffer
	into := json.NewEncoder(&text)
	into.SetIndent("", "  ")
	if err := into.Encode(l); err != nil {
		return err
	}
	return os.WriteFile(file, text.Bytes(), 0o644)
}

// limit is the largest ratio that is allowed of a cost. It is zero if the cost has no baseline.
func (l baseline) limit(c cost) float64 { return l.Ratios[c.name] * (1 + tolerance) }

// compare returns the rows of costs, and an error that names each ratio that is too large.
func (l baseline) compare(costs []cost) (rows []row, err error) {
	for _, c := range costs {
		was, ok := l.Ratios[c.name]
		if !ok {
			err = errors.Join(err, fmt.Errorf("%s has no baseline: write it with --baseline", c.name))
			continue
		}
		r := atMost(c.name, "%.3f "+c.unit, c.ours, c.floor, l.limit(c))
		r.target = fmt.Sprintf("≤ %.2f (baseline %.2f + %.0f %%)", l.limit(c), was, 100*tolerance)
		if rows = append(rows, r); !r.reached {
			err = errors.Join(err, fmt.Errorf("%s: the ratio is %.2f, %.0f %% more than its baseline of %.2f; %.0f %% are allowed", c.name, c.ratio(), 100*(c.ratio()/was-1), was, 100*tolerance))
		}
	}
	for name := range l.Ratios {
		if !slices.ContainsFunc(costs, func(c cost) bool { return c.name == name }) {
			err = errors.Join(err, fmt.Errorf("%s has a baseline, but was not measured", name))
		}
	}
	return rows, err
}

// holds reports whether no cost is too large.
func (l baseline) holds(costs []cost) bool {
	return !slices.ContainsFunc(costs, func(c cost) bool { return c.ratio() > l.limit(c) })
}
