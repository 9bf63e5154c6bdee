package invoice

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// noisy returns a logo of about size bytes that hardly compresses.
func noisy(size int) string {
	chance := rand.New(rand.NewPCG(1, 2))
	logo := "M1 1"
	var more strings.Builder
	for len(logo)+more.Len() < size {
		fmt.Fprintf(&more, " L%.5f %.5f", 24*chance.Float64(), 24*chance.Float64())
	}
	return logo + more.String()
}

func TestTooLargeLogoIsAnErrorAtTheStart(t *testing.T) {
	t.Parallel()
	for name, logo := range map[string]string{
		"large":     noisy(900_000),
		"larger":    noisy(1_700_000),
		"unfolding": "M1 1" + strings.Repeat("L1e-300 1e-300", 10_000), // each has 300 zeros in a PDF
	} {
		path := filepath.Join(t.TempDir(), "seller.yaml")
		before, _, _ := strings.Cut(string(defaultSeller), "logo:")
		text := before + "logo: " + logo + "\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadSeller(path, setup(t).vat); err == nil || !strings.Contains(err.Error(), "is larger than") && !strings.Contains(err.Error(), "must draw at most 64 KiB") {
			t.Errorf("%s: got %.300v, want an error about the size", name, err)
		}
	}
}

func TestFitsRefusesSellerWithTooLargeInvoices(t *testing.T) {
	t.Parallel()
	s := setup(t)
	const most = 1264 << 10 // of a document in orders.invoices
	if err := s.Fits(most); err != nil {
		t.Errorf("our seller: %v", err)
	}
	seller := s.seller
	seller.Logo = noisy(60_000)
	s, err := New(seller, s.vat, s.log)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Fits(most); err != nil {
		t.Errorf("with a logo of 60 kB: %v", err)
	}
	// All characters of the texts differ, also from those of the order, and have many strokes.
	text := s.renderer.Densest(5000)[3000:]
	for part := range slices.Chunk(text, 100) {
		s.seller.Managers = append(s.seller.Managers, string(part))
	}
	if err := s.Fits(most); err == nil || !strings.Contains(err.Error(), "shorten its texts or its logo") {
		t.Errorf("with 2000 ideographs: got %v, want an error that says what to do", err)
	}
}
