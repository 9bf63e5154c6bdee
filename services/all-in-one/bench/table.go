package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"
)

// row is a result: a figure of the system, and that of its floor.
type row struct {
	name          string
	system, floor string  // with units; the floor may be empty
	ratio         float64 // of the two; or zero
	target        string  // of the ratio, or of the system's figure; or empty
	reached       bool
}

// atLeast is a row whose ratio should not be smaller than a target.
func atLeast(name, format string, system, floor, target float64) row {
	r := row{name: name, system: fmt.Sprintf(format, system), floor: fmt.Sprintf(format, floor), ratio: system / floor}
	r.target, r.reached = fmt.Sprintf("≥ %g", target), r.ratio >= target
	return r
}

// atMost is a row whose ratio should not be larger than a target.
func atMost(name, format string, system, floor, target float64) row {
	r := atLeast(name, format, system, floor, target)
	r.target, r.reached = fmt.Sprintf("≤ %g", target), r.ratio <= target
	return r
}

// compared is a row without a target.
func compared(name, format string, system, floor float64) row {
	r := atLeast(name, format, system, floor, 0)
	r.target, r.reached = "", false
	return r
}

// below is a row whose figure should not be larger than a target. It has no floor.
func below(name, format string, system, target float64) row {
	return row{name: name, system: fmt.Sprintf(format, system), target: "≤ " + fmt.Sprintf(format, target), reached: system <= target}
}

// figure is a row with a figure of the system only.
func figure(name, format string, system float64) row {
	return row{name: name, system: fmt.Sprintf(format, system)}
}

// printTable prints rows as Markdown, with columns of equal width.
func printTable(w io.Writer, rows []row) {
	cells := [][]string{{"what", "system", "floor", "ratio", "target", "reached"}, nil}
	for _, r := range rows {
		line := []string{r.name, r.system, r.floor, "", r.target, ""}
		if r.ratio != 0 {
			line[3] = fmt.Sprintf("%.2f", r.ratio)
		}
		if r.target != "" {
			line[5] = map[bool]string{true: "yes", false: "no"}[r.reached]
		}
		cells = append(cells, line)
	}
	wide := make([]int, len(cells[0]))
	for _, line := range cells {
		for i, cell := range line {
			wide[i] = max(wide[i], utf8.RuneCountInString(cell))
		}
	}
	for i, line := range cells {
		for j := range wide {
			if i == 1 {
				fmt.Fprintf(w, "| %s ", strings.Repeat("-", wide[j]))
			} else {
				fmt.Fprintf(w, "| %s%s ", line[j], strings.Repeat(" ", wide[j]-utf8.RuneCountInString(line[j])))
			}
		}
		fmt.Fprintln(w, "|")
	}
}

// machine says when and where the figures were measured, and what else the machine had to do.
func machine() string {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		load = []byte("unknown")
	}
	return fmt.Sprintf("%s, %d CPUs, %s, load average %s",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), strings.Join(strings.Fields(string(load))[:min(3, len(strings.Fields(string(load))))], " "))
}

// shorter is the shorter one of the best turn so far and another. Best is zero before the first turn.
func shorter(best, turn time.Duration) time.Duration {
	if best == 0 {
		return turn
	}
	return min(best, turn)
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }
