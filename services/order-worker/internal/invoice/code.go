package invoice

import (
	"strings"
	"sync"

	"rsc.io/qr/coding"

	"example.com/orders/shared/order"
)

// Limits of EPC069-12.
const (
	codeAmount = 99_999_999_999 // cents
	codeName   = 70             // characters
	codeBytes  = 331
	codePlan   = 13 // version of QR code that has room for them
)

// codePlans returns where the bits are in codes, from the smallest code on. Making a plan takes longer
// than using it.
var codePlans = sync.OnceValue(func() (plans []*coding.Plan) {
	for v := coding.Version(coding.MinVersion); v <= codePlan; v++ {
		p, _ := coding.NewPlan(v, coding.M, 0) // its only error is an unknown version
		plans = append(plans, p)
	}
	return plans
})

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
	content := coding.String(text)
	for _, p := range codePlans() {
		if content.Bits(p.Version) <= p.DataBytes*8 {
			drawn, _ := p.Encode(content) // its only error is too little room
			return modules(drawn)
		}
	}
	return nil
}

func modules(c *coding.Code) [][]bool {
	rows, cells := make([][]bool, c.Size), make([]bool, c.Size*c.Size)
	for y := range rows {
		rows[y], cells = cells[:c.Size], cells[c.Size:]
		for x := range rows[y] {
			rows[y][x] = c.Black(x, y)
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
