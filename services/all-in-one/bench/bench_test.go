//go:build synctests

package main

import (
	"net/smtp"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSinkCountsMailsAndNamesTheirOrders sends mails whose bodies look like a Message-ID and like
// the end of a mail.
func TestSinkCountsMailsAndNamesTheirOrders(t *testing.T) {
	t.Parallel()
	s, err := newSink(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var got []string
	s.each = func(order string, _ time.Time) { got = append(got, order) }
	marked := 0
	s.mark(2, func(time.Time) { marked = len(got) + 1 })
	for _, id := range []string{"ord_1", "ord_2", "ord_3"} {
		mail := "Subject: x\r\nMessage-ID: <" + id + ".invoice@example.com>\r\n\r\nMessage-ID: <ord_x.y@z>\r\n.\r\n" + strings.Repeat("a", 10_000)
		if err := smtp.SendMail(s.address(), nil, "shop@example.com", []string{"zoe@example.com"}, []byte(mail)); err != nil {
			t.Fatal(err)
		}
	}
	if text := strings.Join(got, " "); text != "ord_1 ord_2 ord_3" || marked != 2 {
		t.Errorf("got mails of %q, and the mark at mail %d, want it at 2", text, marked)
	}
}

func TestTableSaysWhetherTargetsAreReached(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	printTable(&out, []row{atLeast("speed", "%.0f/s", 90, 100, 0.85), atMost("cost", "%.1f ms", 3, 2, 1.2), below("memory", "%.0f MB", 99, 150)})
	const want = `| what   | system | floor  | ratio | target   | reached |
| ------ | ------ | ------ | ----- | -------- | ------- |
| speed  | 90/s   | 100/s  | 0.90  | ≥ 0.85   | yes     |
| cost   | 3.0 ms | 2.0 ms | 1.50  | ≤ 1.2    | no      |
| memory | 99 MB  |        |       | ≤ 150 MB | yes     |
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// TestGuardNamesTheRatioThatIsWorse compares a ratio that is 14 % worse than its baseline, one that
// is 16 % worse, and one without a baseline.
func TestGuardNamesTheRatioThatIsWorse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "baseline.json")
	before := []cost{{"mail", "ms", 2, 1}, {"invoice", "ms", 4, 2}}
	if err := (baseline{}).write(file, before); err != nil {
		t.Fatal(err)
	}
	l, err := readBaseline(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.compare(before); err != nil || !l.holds(before) {
		t.Errorf("got %v for the same ratios, want none", err)
	}
	rows, err := l.compare([]cost{{"mail", "ms", 2.28, 1}, {"invoice", "ms", 4.64, 2}, {"view", "ms", 1, 1}})
	const want = `invoice: the ratio is 2.32, 16 % more than its baseline of 2.00; 15 % are allowed
view has no baseline: write it with --baseline`
	if err == nil || err.Error() != want || len(rows) != 2 {
		t.Errorf("got %d rows, and\n%v\nwant 2, and\n%s", len(rows), err, want)
	}
}
