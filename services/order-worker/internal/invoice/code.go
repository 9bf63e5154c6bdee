package invoice

import (
	"strings"

	"rsc.io/qr"

	"example.com/orders/shared/order"
)

// Limits of EPC069-12.
const (
	codeAmount = 99_999_999_999 // cents
	codeName   = 70             // characters
	codeBytes  = 331
)

// code is the QR code with which a banking app makes the credit transfer (EPC069-12, version 002, error
// correction M): its rows, true for a dark module. It is nil if nothing is to be transferred, or if it
// does not fit.
func (s *Step) code(i order.Invoice, paid settlement) [][]bool {
	if s.seller.IBAN == "" || paid.due.Minor <= 0 || paid.due.Minor > codeAmount {
		return nil
	}
	text := s.seller.transfer(paid.due, i.Number)
	if len(text) > codeBytes {
		return nil
	}
	drawn, err := qr.Encode(text, qr.M)
	if err != nil { // it has no room, and codeBytes has some
		return nil
	}
	rows := make([][]bool, drawn.Size)
	for y := range rows {
		rows[y] = make([]bool, drawn.Size)
		for x := range rows[y] {
			rows[y][x] = drawn.Black(x, y)
		}
	}
	return rows
}

// transfer is the content of the code.
func (s Seller) transfer(due order.Money, number string) string {
	name := []rune(s.Name)
	name = name[:min(len(name), codeName)]
	return strings.Join([]string{
		"BCD", "002", "1", "SCT", s.BIC, string(name), s.account(), string(order.EUR) + due.String(),
		"", "", number,
	}, "\n")
}
