// Package einvoice writes electronic invoices: a Cross Industry Invoice (UN/CEFACT D16B) in the
// profile EN 16931, the XML of a Factur-X or ZUGFeRD document.
//
// It computes nothing: package invoice computes the sums and prints the same ones. The comments
// name the business terms (BT) and groups (BG) of EN 16931. A term without a value is left out. The
// same invoice gives the same bytes.
package einvoice

import (
	"time"

	"example.com/orders/shared/order"
)

// Document types, by UNTDID 1001. The amounts of a credit note are positive, like those of an
// invoice: its type means that they are refunded.
const (
	Commercial = "380"
	CreditNote = "381"
)

// Invoice is the data of an invoice. All amounts are in one currency.
type Invoice struct {
	Type     string         // BT-3
	Number   string         // BT-1
	Issued   time.Time      // BT-2
	Note     string         // BT-22
	Supplied time.Time      // BT-72; zero: not known
	From     time.Time      // BT-73: the first day of the period of the supply; zero: none
	Currency order.Currency // BT-5
	Order    string         // BT-14: the seller's number of the order
	Seller   Party          // BG-4
	Buyer    Party          // BG-7
	ShipTo   Party          // BG-13: name and address
	Means    string         // BT-81, by UNTDID 4461; empty: there is no BG-16
	IBAN     string         // BT-84, without spaces; empty unless Means is CreditTransfer
	BIC      string         // BT-86
	Terms    string         // BT-20
	Due      time.Time      // BT-9
	Lines    []Line         // BG-25
	Charges  []Charge       // BG-21
	Taxes    []Tax          // BG-23
	Items    order.Money    // BT-106: sum of Lines
	Charged  order.Money    // BT-108: sum of Charges
	Net      order.Money    // BT-109
	Tax      order.Money    // BT-110
	Total    order.Money    // BT-112
	Paid     order.Money    // BT-113: before the document; Total less Paid is BT-115
	Corrects Document       // BG-3; zero: none

	BuyerReference string // BT-10
	PurchaseOrder  string // BT-13: the buyer's number of the order
}

// Means of payment, by UNTDID 4461.
const (
	Undefined      = "1"
	Cash           = "10"
	BankAccount    = "42" // paid to the account of the seller
	BankCard       = "48"
	CreditTransfer = "30"
	DirectDebit    = "59" // SEPA
	OnlineService  = "68"
)

// Document is an earlier invoice.
type Document struct {
	Number string    // BT-25
	Issued time.Time // BT-26
}

// Party is the seller, the buyer or the recipient of the goods. Terms are listed in this order.
type Party struct {
	ID        string // BT-46: a number that is no VAT ID
	Name      string // BT-27, BT-44, BT-70
	Legal     string // BT-33
	VATID     string // BT-31, BT-48
	TaxNumber string // BT-32
	Email     string // BT-34
	Contact   Contact
	Address   Address
}

// Contact is BG-6 or BG-9; zero: none.
type Contact struct {
	Name  string // BT-41, BT-56
	Phone string // BT-42, BT-57
	Email string // BT-43, BT-58
}

// Address is BG-5, BG-8 or BG-15.
type Address struct {
	Line1, Line2, Line3 string // BT-35, BT-36, BT-162 and so on
	City                string
	PostalCode          string
	Region              string
	Country             string // ISO 3166-1 alpha-2
}

// Line is one line of the invoice.
type Line struct {
	ID       string      // BT-126
	SKU      string      // BT-155
	Name     string      // BT-153
	Price    string      // BT-146, of one piece and net: a decimal, which may have more than two decimals
	Quantity int         // BT-129, in pieces
	Net      order.Money // BT-131
	Rate     Rate        // BG-30
}

// Charge is a charge on the whole document, with its code of UNTDID 7161.
type Charge struct {
	Code   string      // BT-105
	Reason string      // BT-104
	Net    order.Money // BT-99
	Rate   Rate
}

// Freight is the code of a charge for shipping.
const Freight = "FC"

// Rate is a VAT rate and its category.
type Rate struct {
	Category string // BT-118, BT-102, BT-151
	Percent  string // BT-119, BT-103, BT-152: 19 or 25.5
}

// Tax is the VAT of a rate. Exemption and its code give the reason if none is charged.
type Tax struct {
	Rate          Rate
	Net           order.Money // BT-116
	Tax           order.Money // BT-117
	Exemption     string      // BT-120
	ExemptionCode string      // BT-121, of the list VATEX
}
