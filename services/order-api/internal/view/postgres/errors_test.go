package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/storetest"
)

// TestAConnectionThatIsRefusedIsWaitedFor is for any reason that a server or a proxy in front of it has, such as a parameter that it does
// not know.
func TestAConnectionThatIsRefusedIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.StartPostgres(t).Database(t)+" unknown_parameter=1")
	defer s.Close()
	_, err := s.Resume(t.Context(), topics())
	if u, ok := errors.AsType[*view.UnavailableError](err); !ok || u.Reason != refusing {
		t.Errorf("got %v, want an UnavailableError", err)
	}
}

func TestWhatAnErrorMeansForTheView(t *testing.T) {
	t.Parallel()
	code := func(code string) error { return fmt.Errorf("reading: %w", &pgconn.PgError{Code: code}) }
	reason := func(err error) string {
		if u, ok := errors.AsType[*view.UnavailableError](err); ok {
			return u.Reason
		}
		if errors.Is(err, view.ErrDamaged) {
			return "damaged"
		}
		return ""
	}
	for _, row := range []struct {
		err  error
		want string
	}{
		{code("57P01"), silent},
		{code("57P03"), silent},
		{code("53300"), silent},
		{code("53100"), full},
		{code("40P01"), refusing},
		{code("25006"), refusing},
		{code("28P01"), refusing},
		{code("3D000"), refusing},
		{code("42P01"), "damaged"},
		{code("42703"), "damaged"},
		{code("42601"), ""},
		{code("23505"), ""},
		{pgconn.ErrConnClosed, silent},
		{io.ErrUnexpectedEOF, silent},
		{context.DeadlineExceeded, silent},
		{context.Canceled, ""},
		{errors.New("a mistake in this program"), ""},
	} {
		if got := reason(faults.Classify(row.err)); got != row.want {
			t.Errorf("%v: got %q, want %q", row.err, got, row.want)
		}
	}
}
