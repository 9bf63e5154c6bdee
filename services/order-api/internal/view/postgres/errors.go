package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"example.com/orders/services/order-api/internal/view/tables"
)

// Reasons to wait for a database.
const (
	silent   = "its database does not answer"
	refusing = "its database refuses to be used"
	full     = "the disk of its database is full"
)

// faults says what errors of a database mean.
var faults = tables.Faults{Damaged: damaged, Passing: passing, Other: refusing}

// damaged reports whether an error says that tables are missing, are others, or are corrupt.
func damaged(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch e.Code {
	case "42P01", "42703", "3F000", "42883", "XX001", "XX002": // no such table, column, schema, function; data, index corrupted
		return true
	}
	return false
}

// passing is why the database cannot be used at the moment, if that is what an error says; or it is
// empty.
func passing(err error) string {
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		// The first two characters are the class: appendix A of the manual.
		switch class := e.Code[:min(2, len(e.Code))]; {
		case e.Code == "53100":
			return full
		case class == "08", class == "53", class == "57", class == "58", e.Code == "25P03":
			return silent
		case class == "40", class == "55", strings.HasPrefix(e.Code, "2500"), class == "28", e.Code == "42501", e.Code == "3D000", connecting:
			return refusing
		}
		return ""
	}
	_, network := errors.AsType[net.Error](err)
	if network || connecting || pgconn.SafeToRetry(err) || pgconn.Timeout(err) || errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded) {
		return silent
	}
	return ""
}
