package telemetry_test

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"regexp"
	"strconv"
	"testing"

	"example.com/orders/shared/config"
	"example.com/orders/shared/telemetry"
)

func TestLogIsSetByFlags(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args []string
		want string
	}{
		{nil, `^time=\S+ level=INFO msg="order finished" order=ord_1 outcome=confirmed\n$`},
		{[]string{"--log-format", "json"}, `^{"time":"[^"]+","level":"INFO","msg":"order finished","order":"ord_1","outcome":"confirmed"}\n$`},
		{[]string{"--log-level", "warn"}, `^$`},
		{[]string{"--log-level", "DEBUG"}, `level=INFO .*\n.*level=DEBUG msg="order begun"\n$`},
	} {
		t.Run(row.want, func(t *testing.T) {
			t.Parallel()
			var settings struct{ telemetry.Log }
			var out bytes.Buffer
			if err := config.Parse(&settings, "shop", "", row.args, func(string) string { return "" }, &out, &out); err != nil {
				t.Fatal(err)
			}
			log := settings.Logger(&out)
			log.LogAttrs(context.Background(), slog.LevelInfo, "order finished", slog.String(telemetry.Order, "ord_1"), slog.String(telemetry.Outcome, "confirmed"))
			log.LogAttrs(context.Background(), slog.LevelDebug, "order begun")
			if !regexp.MustCompile(row.want).Match(out.Bytes()) {
				t.Errorf("got  %q\nwant %s", out.String(), row.want)
			}
		})
	}
}

func TestKeysAreSnakeCaseAndDistinct(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "keys.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			key, err := strconv.Unquote(lit.Value)
			if err != nil || seen[key] || !regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`).MatchString(key) {
				t.Errorf("got key %s, want snake_case and each once", lit.Value)
			}
			seen[key] = true
		}
		return true
	})
	if len(seen) == 0 {
		t.Error("got no keys")
	}
}
