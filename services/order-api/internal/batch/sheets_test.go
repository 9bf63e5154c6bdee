package batch_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/orders/services/order-api/internal/batch"
	"example.com/orders/shared/golden"
)

// TestFilesOfSpreadsheets reads files as Excel, LibreOffice, Numbers and Google Sheets write them, in German, French and US locales. The golden
// file has what becomes of each row: an order, or a sentence.
func TestFilesOfSpreadsheets(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/sheets/*.csv")
	if err != nil || len(files) < 25 {
		t.Fatalf("got %d files, %v; want 25 or more", len(files), err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		orders, said, err := batch.Read(filepath.Base(file), bytes.NewReader(text))
		fmt.Fprintf(&all, "%s\n", filepath.Base(file))
		for _, line := range []string{said, problem(err), told(orders)} {
			if line != "" {
				all.WriteString("  " + strings.ReplaceAll(line, "\n", "\n  ") + "\n")
			}
		}
	}
	golden.Compare(t, "testdata/sheets.golden", all.String())
}

func problem(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestEveryRowIsAnOrderOrAnError has open quotes, inch marks and cells over two lines among other rows.
func TestEveryRowIsAnOrderOrAnError(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString(header)
	for i := range 2_000 {
		text.WriteString(cells(fmt.Sprint("k", i), "Ann", "A", "1", []string{"", "\"open", "12\" long", "\"two\nlines\""}[i%4]))
	}
	orders, _, err := batch.Read("o.csv", strings.NewReader(text.String()))
	if err != nil || len(orders) != 2_000 {
		t.Fatalf("got %d orders, %v; want 2,000", len(orders), err)
	}
	for i, o := range orders {
		if o.Key != fmt.Sprint("k", i) || (o.Err != nil) != (i%4 == 1) {
			t.Fatalf("order %d: got %q, %v", i, o.Key, o.Err)
		}
	}
}
