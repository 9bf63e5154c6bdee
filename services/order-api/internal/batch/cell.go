package batch

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// trimmed is a cell without the spaces around it, also those that do not break or have no width. A
// text that was written as a formula to remain a text, ="0815", is that text.
func trimmed(cell string) string {
	cell = strings.TrimFunc(cell, func(r rune) bool { return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' })
	if inner, found := strings.CutPrefix(cell, `="`); found && strings.HasSuffix(inner, `"`) {
		return strings.ReplaceAll(strings.TrimSuffix(inner, `"`), `""`, `"`)
	}
	return cell
}

// folded is the name of a column: "Postal Code" is postal_code, and "E-Mail" is email.
func folded(name string) string {
	name = strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(trimmed(norm.NFKC.String(name))))
	if name == "e_mail" {
		return "email"
	}
	return name
}

// cellOf is the text of a cell of a column. Codes lose the apostrophe with which a text begins in some
// spreadsheets; names keep it.
func cellOf(column, cell string) string {
	cell = trimmed(cell)
	switch column {
	case "order": // in one form, however a program writes accents and spaces
		return strings.Join(strings.Fields(norm.NFC.String(strings.TrimPrefix(cell, "'"))), " ")
	case "sku", "quantity", "postal_code", "vat_id", "email":
		return strings.TrimPrefix(cell, "'")
	case "country":
		return strings.ToUpper(cell)
	case "service":
		return strings.ToLower(cell)
	}
	return cell
}

var (
	rounded  = regexp.MustCompile(`^[+-]?\d([.,]\d+[eE][+-]?|[eE][+-])\d+$`)
	cut      = regexp.MustCompile(`^[1-9]\d{14}00+$`)
	month    = regexp.MustCompile(`(?i)^(\d{1,2}[-. /]+)?(jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez|janv|févr|mars|avr|juin|juil|août|sept|déc)\.?([-. /]+\d{2,4})?$`)
	mistake  = regexp.MustCompile(`^(#(N/A|NV|[A-ZÄÖÜÉ/0]+[!?]|#+)|Err[ \x{a0}]?:[ \x{a0}]?\d{3})$`)
	decimals = regexp.MustCompile(`^(\d+)[.,]00?$`)
	grouped  = regexp.MustCompile(`^\d{1,3}([.,' ’\x{a0}\x{202f}]\d{3})+$`)
)

const asText = "format the column as text and enter the original"

// keyFault returns why the key of an order cannot be the one that was meant, or nil: a spreadsheet has
// changed it, and other orders may have become the same.
func keyFault(key string) error {
	switch {
	case key == "":
		return fmt.Errorf(`column "order" must not be empty`)
	case rounded.MatchString(key):
		return fmt.Errorf(`column "order" is %q: a spreadsheet has rounded a long number, so that different orders look the same; %s`, key, asText)
	case cut.MatchString(key):
		return fmt.Errorf(`column "order" is %q: a spreadsheet keeps only 15 digits of a number and writes zeros for the others; %s`, key, asText)
	case decimals.MatchString(key):
		return fmt.Errorf(`column "order" is %q: a program has turned it into a number with decimals, so that the same order looks like another one; %s`, key, asText)
	case month.MatchString(key):
		return fmt.Errorf(`column "order" is %q: a spreadsheet has turned it into a date; %s`, key, asText)
	case mistake.MatchString(key):
		return errMistake("order", key)
	case strings.HasPrefix(key, "="):
		return fmt.Errorf(`column "order" is the formula %.40q: enter its result as text`, key)
	}
	return nil
}

func errMistake(column, cell string) error {
	return fmt.Errorf("column %q is %q, which a spreadsheet writes for a formula with a mistake", column, cell)
}

// quantityOf reads a quantity. "2,0" is 2, and "1.000" can be 1 or 1000.
func quantityOf(cell string) (int, error) {
	text := norm.NFKC.String(cell)
	if parts := decimals.FindStringSubmatch(text); parts != nil {
		text = parts[1]
	}
	n, err := strconv.Atoi(text)
	switch {
	case err == nil:
		return n, nil
	case grouped.MatchString(cell):
		return 0, fmt.Errorf("quantity %.40q has a separator, which can be one of thousands or of decimals: write the number without it", cell)
	}
	return 0, fmt.Errorf("quantity %.40q is not a whole number", cell)
}
