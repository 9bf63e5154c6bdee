package main

import (
	"encoding/csv"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// personal finds personal data of the customers of all stories: every e-mail address but the shop's,
// and the names and streets of the sample orders.
var personal = sync.OnceValues(func() (*regexp.Regexp, error) {
	f, err := os.Open("../../deploy/sample/orders.csv")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	texts := map[string]bool{}
	for _, row := range rows[1:] {
		for _, text := range []string{row[1], row[3]} { // name, line1
			texts[regexp.QuoteMeta(text)] = text != ""
		}
	}
	all := []string{`[\w.+-]+@[\w-]+\.[\w.]+`}
	for text, filled := range texts {
		if filled {
			all = append(all, text)
		}
	}
	return regexp.Compile(strings.Join(all, "|"))
})

// printsNoPersonalData fails the test if a program of a story printed personal data: its output is its
// log and its messages.
func printsNoPersonalData(t testing.TB, program, text string) {
	t.Helper()
	find, err := personal()
	if err != nil {
		t.Error(err)
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		if found := find.FindString(line); found != "" && !strings.HasSuffix(found, "@shop.example.com") {
			t.Errorf("%s printed %q: %s", program, found, line)
		}
	}
}

func TestPersonalDataIsFoundInText(t *testing.T) {
	t.Parallel()
	find, err := personal()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"550 no <zoe@example.com>": "zoe@example.com", "order of Zoë Łukasiewicz failed": "Zoë Łukasiewicz", "to Keizersgracht 5": "Keizersgracht 5",
		"order=ord_1 partition=3": "",
	} {
		if got := find.FindString(text); got != want {
			t.Errorf("%q: found %q, want %q", text, got, want)
		}
	}
}
