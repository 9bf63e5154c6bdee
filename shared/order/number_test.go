package order

import "testing"

func TestEveryStatusHasANumberThatFitsIntoAByte(t *testing.T) {
	t.Parallel()
	if n := len(Statuses()); n >= 255 {
		t.Fatalf("got %d statuses, want fewer than 255: the ledger and the audit use 255 for another one", n)
	}
	for _, s := range Statuses() {
		if got := Numbered(s.Number()); got != s {
			t.Errorf("number %d: got %q, want %q", s.Number(), got, s)
		}
	}
	if n := Status("of a newer version").Number(); n != 0 {
		t.Errorf("got number %d of an unknown status, want 0", n)
	}
}
