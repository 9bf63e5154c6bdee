package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// table is a table that a run prints.
type table [][]string // rows; the first is the header

// tables returns the findings as tables.
func (f *findings) tables() []table {
	count := func(n any) string { return fmt.Sprint(n) }
	sums := table{
		{"what", "found"},
		{"orders accepted", count(f.Accepted)},
		{"of these, refunds", count(f.Refunds)},
		{"confirmed", count(f.Confirmed)},
		{"cancelled", count(f.Cancelled)},
		{"dead letters, all of them expected", count(f.DeadLetters)},
		{"requests without an answer from the API", count(f.Unknown)},
		{"lost", count(f.Lost)},
		{"invoice numbers used twice", count(f.DuplicateNumbers)},
		{"repeated mails, counted as uncertain", count(f.RepeatedCounted)},
		{"repeated mails, not counted", count(f.RepeatedUncounted)},
		{"orders being mailed when their worker was killed or cut off", count(f.Interrupted)},
		{"stale states", count(f.StaleStates)},
		{"unexpected process exits (restarted)", count(f.UnexpectedExits)},
		{"longest time without a confirmation", seconds(f.LongestStall)},
		{"longest time without a confirmation that no fault explains", seconds(f.UnexplainedStall)},
	}
	faults := table{
		{"fault", "times", "first confirmation after it began (min/median/max)", "after it ended", "longest stall of a partition"},
	}
	for _, k := range f.Kinds {
		times := count(k.Times)
		if k.Skipped > 0 {
			times += fmt.Sprintf(" (%d skipped: a disk for it cannot be mounted)", k.Skipped)
		}
		faults = append(faults, []string{k.Name, times, spread(k.Begun), spread(k.Ended), seconds(k.Stall)})
	}
	return []table{sums, faults}
}

func seconds(d time.Duration) string {
	if d < 0 {
		return "never"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// spread formats minimum, median and maximum. It leaves out the times without a confirmation after
// them: all orders were final by then.
func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "-"
	}
	all = slices.DeleteFunc(slices.Sorted(slices.Values(all)), func(d time.Duration) bool { return d < 0 })
	if len(all) == 0 {
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

// markdown prints the table as Markdown.
func (t table) markdown(w io.Writer) {
	for i, row := range t {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(w, "|%s\n", strings.Repeat(" --- |", len(row)))
		}
	}
	fmt.Fprintln(w)
}
