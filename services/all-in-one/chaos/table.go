package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// table is what a run prints, and what stands in the README.
type table [][]string // rows; the first is the head

// tables say what was found, for people.
func (f *findings) tables() []table {
	count := func(n any) string { return fmt.Sprint(n) }
	sums := table{
		{"what", "found"},
		{"orders accepted", count(f.Accepted)},
		{"refunds among them", count(f.Refunds)},
		{"confirmed", count(f.Confirmed)},
		{"cancelled", count(f.Cancelled)},
		{"dead letters, each of them meant to be one", count(f.DeadLetters)},
		{"without an answer from the API", count(f.Unknown)},
		{"lost", count(f.Lost)},
		{"invoice numbers used twice", count(f.NumbersTwice)},
		{"mails too many, counted as uncertain", count(f.TwiceCounted)},
		{"mails too many, not counted", count(f.TwiceUncounted)},
		{"orders about to be mailed when their worker was killed or cut off", count(f.InDoubt)},
		{"void states", count(f.StaleStates)},
		{"processes that ended by themselves, and were started again", count(f.Fell)},
		{"longest time without a confirmation", seconds(f.Longest)},
		{"the same, with no fault to explain it", seconds(f.Unexplained)},
	}
	faults := table{
		{"fault", "times", "first confirmation after it began (min/median/max)", "after it ended", "a partition stood still for up to"},
	}
	for _, k := range f.Kinds {
		times := count(k.Times)
		if k.Skipped > 0 {
			times += fmt.Sprintf(" (%d skipped: no disk of its own can be mounted here)", k.Skipped)
		}
		faults = append(faults, []string{k.Name, times, spread(k.Begun), spread(k.Ended), seconds(k.Still)})
	}
	return []table{sums, faults}
}

func seconds(d time.Duration) string {
	if d < 0 {
		return "never"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// spread is least, median and most.
func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "-"
	}
	all = slices.Sorted(slices.Values(all))
	if all[0] < 0 {
		return "never"
	}
	return fmt.Sprintf("%.1f / %.1f / %.1f s", all[0].Seconds(), all[len(all)/2].Seconds(), all[len(all)-1].Seconds())
}

// text prints the table for a terminal.
func (t table) text(w io.Writer) {
	wide := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			wide[i] = max(wide[i], len(cell))
		}
	}
	for _, row := range t {
		var line strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&line, "%-*s  ", wide[i], cell)
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
	fmt.Fprintln(w)
}

// markdown prints it for the README.
func (t table) markdown(w io.Writer) {
	for i, row := range t {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(w, "|%s\n", strings.Repeat(" --- |", len(row)))
		}
	}
	fmt.Fprintln(w)
}
