package ctl_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/ctl"
	"example.com/orders/shared/config"
	"example.com/orders/shared/golden"
	"example.com/orders/shared/kafkatest"
)

func TestPlaceRetriesTemporaryErrors(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, tooFast, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			s := open(t)
			s.fails["/v1/orders"] = []int{status}
			stdout, _, err := s.run(t, `{"note": ""}`, "place", "-")
			if err != nil || !strings.Contains(stdout, "confirmed 1.19 EUR\n") {
				t.Errorf("got %q, %v; want it confirmed at the second attempt", stdout, err)
			}
			// Without a key of its own the order has one for this run: else the second attempt
			// could be a second order.
			if keys := s.placements(); len(keys) != 2 || keys[0] != keys[1] || keys[0] == "" {
				t.Errorf("got keys %q, want one key twice", keys)
			}
		})
	}
}

func TestPlaceReportsOrdersInFileOrder(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.fails["k2"] = []int{http.StatusUnprocessableEntity}
	s.fails["k1"] = []int{http.StatusServiceUnavailable}
	path := file(t, "k1", "k2", "k3")
	stdout, stderr, err := s.run(t, "", "place", path)
	want := fmt.Sprintf("%[1]s:1 k1 ord_k1 confirmed 1.19 EUR\n%[1]s:2 k2 failed\n%[1]s:3 k3 ord_k3 confirmed 1.19 EUR\n", path)
	if diff := gocmp.Diff(want, stdout); diff != "" {
		t.Errorf("stdout (-want +got):\n%s", diff)
	}
	if diff := gocmp.Diff(fmt.Sprintf("ordersctl: %s:2: told to answer 422\n", path), stderr); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
	if got := fmt.Sprint(err); got != "1 of 3 orders failed" {
		t.Errorf("got error %s, want 1 of 3 orders failed", got)
	}
	stdout, _, err = s.run(t, "", "place", "--json", file(t, "k4"))
	var line struct {
		File  string
		Line  int
		Key   string
		Order client.Order
	}
	if err2 := json.Unmarshal([]byte(stdout), &line); err != nil || err2 != nil || line.Key != "k4" || line.Order.ID != "ord_k4" {
		t.Errorf("got %s, %v, %v; want a line of JSON with key and order", stdout, err, err2)
	}
}

// TestNumbersOfAShopAreKeys has numbers that an HTTP header cannot carry as they are.
func TestNumbersOfAShopAreKeys(t *testing.T) {
	t.Parallel()
	for key, sent := range map[string]string{
		"SO 1001": "UTF-8''SO%201001", "Größe-17": "UTF-8''Gr%C3%B6%C3%9Fe-17", "50% #2/а": "UTF-8''50%25%20#2%2F%D0%B0", "A%201": "A%201", "ä:=@": "UTF-8''%C3%A4%3A%3D%40",
	} {
		s := open(t)
		path := file(t, key)
		stdout, stderr, err := s.run(t, "", "place", path)
		if err != nil || !strings.HasPrefix(stdout, path+":1 "+key+" ord_") {
			t.Errorf("%q: got %q, %q, %v; want it placed", key, stdout, stderr, err)
		}
		if got := s.placements(); !slices.Equal(got, []string{sent}) {
			t.Errorf("%q: got keys %q, want %q", key, got, sent)
		}
	}
	s := open(t)
	path := file(t, strings.Repeat("ж", 34))
	if _, _, err := s.run(t, "", "place", path); err == nil || !strings.Contains(err.Error(), "must have at most 200 characters") {
		t.Errorf("a long key: got %v", err)
	}
}

func TestPlaceStopsWhenTheAPIIsUnreachable(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.url = "http://127.0.0.1:1"
	stdout, stderr, err := s.run(t, "", "place", "--concurrency", "1", file(t, "k1", "k2", "k3"))
	if got := fmt.Sprint(err); got != "1 of 3 orders failed, 2 were not sent" {
		t.Errorf("got error %s", got)
	}
	if strings.Count(stdout, "\n") != 1 || !strings.Contains(stderr, "connection refused\nhint: is the API running?") {
		t.Errorf("got %q and %q, want one line that failed, and a hint", stdout, stderr)
	}
}

func TestPlaceStopsOnBackpressure(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.fails["k2"] = []int{http.StatusTooManyRequests}
	_, stderr, err := s.run(t, "", "place", "--concurrency", "1", file(t, "k1", "k2", "k3"))
	if got := fmt.Sprint(err); got != "1 of 3 orders failed, 1 were not sent" {
		t.Errorf("got error %s", got)
	}
	if diff := gocmp.Diff([]string{"k1", "k2"}, s.placements()); diff != "" || !strings.Contains(stderr, "\nhint: are workers running?") {
		t.Errorf("got %q, want a hint; placements (-want +got):\n%s", stderr, diff)
	}
}

func TestRefusedFilterIsAUsageError(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{http.StatusBadRequest: true, http.StatusInternalServerError: false} {
		for _, command := range []string{"list", "groups", "discard --reason r"} {
			s := open(t)
			s.fails["/v1/dead-letters"] = []int{status}
			s.fails["/v1/dead-letters/groups"] = []int{status}
			_, _, err := s.run(t, "", append(append([]string{"dlq"}, strings.Fields(command)...), "--step", "packing")...)
			// The type has no name outside its package.
			usage := reflect.New(reflect.TypeOf(config.Usage(nil))).Interface()
			if got := errors.As(err, usage); got != want {
				t.Errorf("%s, %d: got %v, an error of usage %t; want %t", command, status, err, got, want)
			}
		}
	}
}

func TestPlaceReadsAllFilesFirst(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"place", "nowhere.csv"}, "stat nowhere.csv: no such file or directory"},
		{"{", []string{"place", file(t, "k1"), "-"}, "stdin:1: is not a JSON object: unexpected end of JSON input (for several orders, write one on each line of a file that ends in .ndjson)"},
		{"", []string{"place", "--key", "k", file(t, "k1", "k2")}, "--key requires exactly one order, got 2"},
		{"", []string{"place", "--wait", "61s", "-"}, "--concurrency must be at least 1, and --wait must be from 0s to 60s"},
		{"", []string{"place"}, `expected "<files> ..."`},
	} {
		t.Run(strings.Join(row.args, " "), func(t *testing.T) {
			t.Parallel()
			s := open(t)
			_, _, err := s.run(t, row.stdin, row.args...)
			if got := fmt.Sprint(err); got != row.want || len(s.placements()) != 0 {
				t.Errorf("got %s and placements %q, want %s and none", got, s.placements(), row.want)
			}
		})
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.walk["ord_1"] = []string{
		`{"rev":0,"at":"2026-03-01T12:00:00Z","status":"accepted"}`, `{"rev":1,"at":"2026-03-01T12:00:01Z","status":"confirmed"}`,
	}
	s.walk["ord_3"] = []string{
		`{"rev":3,"at":"2026-03-01T12:00:00Z","status":"retrying","step":"email","reason":"mail-busy"}`,
		`{"rev":5,"at":"2026-03-01T12:00:10Z","status":"waiting","step":"email","reason":"mail-away"}`,
		`{"rev":7,"at":"2026-03-01T12:09:00Z","status":"confirmed"}`,
	}
	s.walk["ord_2"] = []string{`{"rev":1,"at":"2026-03-01T12:00:00Z","status":"dead","step":"shipping","reason":"no-route"}`}
	s.fails["/v1/orders/ord_9"] = []int{http.StatusNotFound}
	var all strings.Builder
	for _, line := range []string{
		"get ord_1", "get ord_1 --json", "get ord_9", "get ord_sold", "get ord_sold-refund-1", "refund ord_sold", "refund ord_sold --json", "watch ord_1", "watch ord_1 --until accepted", "watch ord_1 --json", "watch ord_2", "watch ord_2 --until mailing", "watch ord_3", "watch ord_3 --until waiting", "invoice get ord_1 -o -",
		"quote ../../../deploy/sample/order.json", "quote ../../../deploy/sample/order.json --json", "quote ../../../deploy/sample/orders.csv",
		"dlq list", "dlq list --limit 2 --json", "dlq show 0-1", "dlq show 0-1 --json",
		"audit-log", "audit-log --limit 1 --json",
	} {
		stdout, stderr, err := s.run(t, "", strings.Fields(line)...)
		fmt.Fprintf(&all, "$ ordersctl %s\n%s", line, stdout)
		for text := range strings.Lines(stderr) {
			fmt.Fprintf(&all, "(stderr) %s", text)
		}
		if err != nil {
			fmt.Fprintf(&all, "(ends with) %v\n", err)
		}
	}
	golden.Compare(t, "testdata/output.txt", all.String())
}

func TestInvoiceFileIsNamedAfterTheOrder(t *testing.T) {
	t.Chdir(t.TempDir())
	s := open(t)
	for _, row := range []struct{ command, file, want string }{
		{"invoice get ord_1", "ord_1.pdf", "%PDF of ord_1"},
		{"invoice get ord_1 --xml", "ord_1.xml", "<xml of ord_1>"},
	} {
		stdout, _, err := s.run(t, "", strings.Fields(row.command)...)
		if err != nil || stdout != row.file+"\n" {
			t.Errorf("%s: got %q, %v; want the name of the file", row.command, stdout, err)
		}
		if document, err := os.ReadFile(row.file); string(document) != row.want {
			t.Errorf("%s: got %q, %v; want the document as it came", row.command, document, err)
		}
	}
}

func TestInterruptedPlaceHasAHint(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.fails["k2"] = []int{-1}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	// Interrupt at the first result.
	stdout := writer(func(p []byte) (int, error) {
		interrupt()
		return len(p), nil
	})
	args := []string{"place", "--concurrency", "1", "--api", s.url, file(t, "k1", "k2", "k3")}
	err := ctl.Run(ctx, args, func(string) string { return "" }, strings.NewReader(""), stdout, io.Discard)
	var told strings.Builder
	config.PrintError(&told, "ordersctl", errors.Join(err))
	want := "ordersctl: 0 of 3 orders failed, 2 were not sent\nhint: run the same command again: orders with an idempotency key are not placed twice\n"
	if diff := gocmp.Diff(want, told.String()); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
	// k2 may have been on its way.
	if slices.Contains(s.placements(), "k3") {
		t.Error("k3 was placed all the same")
	}
}

func TestPlaceStopsWhenStdoutIsClosed(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.fails["k2"] = []int{-1}
	errGone := errors.New("gone")
	stdout := writer(func([]byte) (int, error) { return 0, errGone })
	args := []string{"place", "--concurrency", "1", "--api", s.url, file(t, "k1", "k2", "k3")}
	if err := ctl.Run(t.Context(), args, func(string) string { return "" }, strings.NewReader(""), stdout, io.Discard); !errors.Is(err, errGone) {
		t.Errorf("got %v, want %v", err, errGone)
	}
	// k2 may have been on its way.
	if slices.Contains(s.placements(), "k3") {
		t.Error("k3 was placed all the same")
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestTopicsAreCreatedOnceAndChecked(t *testing.T) {
	t.Parallel()
	s, k := open(t), kafkatest.Start(t)
	brokers := strings.Join(k.Config().Brokers, ",")
	for _, row := range []struct{ deleted, args, stdout, err string }{
		{"", "topics check --prefix shop", "", "topics are not as they must be:\n  shop: missing"},
		{"", "topics create --prefix shop --partitions=-1", "", "--partitions and --replication must not be negative"},
		{"", "topics create --prefix shop --partitions 2", "created shop shop.retry.10s shop.retry.2m shop.waiting shop.replay shop.status shop.invoices shop.dlq shop.desk shop.workers\n", ""},
		{"", "topics create --prefix shop --json", `{"created":[]}` + "\n", ""},
		{"", "topics create --prefix shop --partitions 3", "", "the topics of prefix shop have 2 partitions: their number is fixed"},
		{"", "topics check --prefix shop", "all topics of prefix shop have the required settings: 2 partitions, invoice numbers INV-", ""},
		{"", "topics check --prefix shop --json", `","partitions":2,"prefix":"shop"}`, ""},
		{"shop.workers", "topics create --prefix shop", "created shop.workers\n", ""}, // with 2 partitions, as the others have
		{"", "topics check --prefix shop", "2 partitions", ""},
	} {
		if row.deleted != "" {
			if _, err := kadm.NewClient(k.Client).DeleteTopic(t.Context(), row.deleted); err != nil {
				t.Fatal(err)
			}
		}
		stdout, _, err := s.run(t, "", append(strings.Fields(row.args), "--brokers", brokers)...)
		if !strings.Contains(stdout, row.stdout) || !strings.HasPrefix(fmt.Sprint(err), cmp.Or(row.err, "<nil>")) {
			t.Errorf("%s: got %q, %v; want %q, %s", row.args, stdout, err, row.stdout, row.err)
		}
	}
}

func TestHelpShowsEveryCommand(t *testing.T) {
	t.Setenv("COLUMNS", "110")
	s := open(t)
	var all strings.Builder
	for _, command := range []string{"", "place", "quote", "watch", "get", "pay", "cancel", "refund", "invoice get", "invoice gaps", "dlq list", "dlq groups", "dlq show", "dlq replay", "dlq jobs", "dlq jobs list", "dlq jobs show", "dlq jobs watch", "dlq jobs pause", "dlq jobs resume", "dlq jobs cancel", "dlq jobs rate", "dlq edit", "dlq fix", "dlq discard", "dlq restore", "dlq note", "dlq assign", "dlq export", "dlq import", "ready", "keys init", "keys create", "keys list", "keys revoke", "audit", "audit-log", "topics create", "topics check", "topics skip"} {
		stdout, _, err := s.run(t, "", append(strings.Fields(command), "--help")...)
		fmt.Fprintf(&all, "$ ordersctl %s --help\n%s", command, stdout)
		if err == nil {
			t.Errorf("%s --help: got no error, want config.ErrHelp", command)
		}
	}
	golden.Compare(t, "testdata/help.txt", all.String())
}

// TestAnOrderThatWasPlacedBeforeIsToldApart places a key that an earlier run has placed.
func TestAnOrderThatWasPlacedBeforeIsToldApart(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.replays["k2"] = true
	path := file(t, "k1", "k2")
	stdout, _, err := s.run(t, "", "place", path)
	first, second, _ := strings.Cut(stdout, "\n")
	if err != nil || strings.Contains(first, "already") || !strings.HasPrefix(second, path+":2 k2 already placed on ") || !strings.Contains(second, "UTC: ord_k2 confirmed") {
		t.Errorf("got %q, %v; want k2 alone as already placed", stdout, err)
	}
	stdout, _, err = s.run(t, "", "place", "--json", path)
	if err != nil || strings.Count(stdout, `"already_placed":true`) != 1 {
		t.Errorf("got %s, %v; want already_placed in one line", stdout, err)
	}
	// The first of two requests of this run may have placed it.
	s.fails["k2"] = []int{http.StatusGatewayTimeout}
	if stdout, _, err = s.run(t, "", "place", path); err != nil || strings.Contains(stdout, "already") {
		t.Errorf("after a repeated request: got %s, %v; want no order as already placed", stdout, err)
	}
}
