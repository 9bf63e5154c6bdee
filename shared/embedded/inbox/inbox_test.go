package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"example.com/orders/shared/embedded/inbox"
)

// start runs an inbox until the test ends.
func start(t *testing.T, cfg inbox.Config) *inbox.Inbox {
	t.Helper()
	in, stop := open(t, cfg)
	t.Cleanup(stop)
	return in
}

// open runs an inbox until stop is called.
func open(t *testing.T, cfg inbox.Config) (in *inbox.Inbox, stop func()) {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	in, err := inbox.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	return in, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
	}
}

// client is a connection in memory.
func client(t *testing.T, in *inbox.Inbox) *smtp.Client {
	t.Helper()
	conn, err := in.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	c := smtp.NewClient(conn)
	t.Cleanup(func() { c.Close() })
	return c
}

func send(c *smtp.Client, to, mail string) error {
	return c.SendMail("shop@example.com", []string{to}, strings.NewReader(mail))
}

// plainMail is a plain mail with a Message-ID.
func plainMail(id string) string {
	return fmt.Sprintf("From: Shop <shop@example.com>\r\nTo: zoe@example.com\r\nSubject: %s\r\nMessage-ID: <%[1]s>\r\n\r\nThank you.\r\n", id)
}

// code is the SMTP code of an answer: 250 for nil, 0 when there was none.
func code(err error) int {
	if err == nil {
		return 250
	}
	if answer, ok := errors.AsType[*smtp.SMTPError](err); ok {
		return answer.Code
	}
	return 0
}

// get decodes an answer of the API.
func get[T any](t *testing.T, in *inbox.Inbox, path string) (value T) {
	t.Helper()
	w := fetch(in, path)
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: got %d, want 200: %s", path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &value); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return value
}

func fetch(in *inbox.Inbox, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	in.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestMailIsCountedAndListedOverSockets(t *testing.T) {
	t.Parallel()
	in := start(t, inbox.Config{SMTP: "127.0.0.1:0", HTTP: "127.0.0.1:0", Dir: t.TempDir()})

	c, err := smtp.Dial(in.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := send(c, "zoe@example.com", plainMail("one@example.com")); err != nil {
		t.Fatal(err)
	}

	answer, err := http.Get("http://" + in.HTTPAddr() + "/api/v1/deliveries")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got struct{ Deliveries map[string]int }
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"one@example.com": 1}, got.Deliveries); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}

func TestRecipientDomainsSelectAnswers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, to string
		want     []int // the answer to each attempt
		took     time.Duration
	}{
		{"any", "zoe@example.com", []int{250, 250}, 0},
		{"refused", "zoe@refused.test", []int{550, 550}, 0},
		{"busy", "zoe@busy.test", []int{451, 451, 250, 250}, 0},
		{"slow", "zoe@slow.test", []int{250, 250}, 10 * time.Second},
		{"in upper case", "zoe@REFUSED.test", []int{550}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				in := start(t, inbox.Config{})
				c, begun := client(t, in), time.Now()
				var got []int
				for range row.want {
					got = append(got, code(send(c, row.to, plainMail("a@example.com"))))
				}
				if diff := cmp.Diff(row.want, got); diff != "" {
					t.Errorf("answers (-want +got):\n%s", diff)
				}
				if took := time.Since(begun); took != row.took {
					t.Errorf("took %s, want %s", took, row.took)
				}
			})
		})
	}
}

func TestBehaviour(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		b    inbox.Behaviour
		want []int // the answer to each mail, on a connection of its own
		kept int
		took time.Duration
	}{
		{"busy for everybody", inbox.Behaviour{At: "RCPT", Code: 451}, []int{451, 451}, 0, 0},
		{"busy once", inbox.Behaviour{At: "MAIL", Code: 421, Times: 1}, []int{421, 250}, 1, 0},
		{"rejects", inbox.Behaviour{At: "DATA", Code: 554}, []int{554}, 0, 0},
		{"hangs up before it keeps", inbox.Behaviour{At: "DATA", HangUp: true, Times: 1}, []int{0, 250}, 1, 0},
		{"hangs up after it kept", inbox.Behaviour{At: ".", HangUp: true}, []int{0}, 1, 0},
		{"answers late", inbox.Behaviour{At: ".", Late: 40 * time.Second, Times: 1}, []int{250, 250}, 2, 40 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				in, begun := start(t, inbox.Config{}), time.Now()
				in.Behave(row.b)
				var got []int
				for range row.want {
					got = append(got, code(send(client(t, in), "zoe@example.com", plainMail("a@example.com"))))
				}
				if diff := cmp.Diff(row.want, got); diff != "" {
					t.Errorf("answers (-want +got):\n%s", diff)
				}
				if n := in.Deliveries()["a@example.com"]; n != row.kept {
					t.Errorf("kept %d mails, want %d", n, row.kept)
				}
				if took := time.Since(begun); took != row.took {
					t.Errorf("took %s, want %s", took, row.took)
				}
			})
		})
	}
}

func TestDownClosesConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := start(t, inbox.Config{})
		c := client(t, in)
		if err := c.Noop(); err != nil {
			t.Fatal(err)
		}

		in.Behave(inbox.Behaviour{Down: true})
		if err := c.Noop(); err == nil {
			t.Error("an open connection still answers")
		}
		if _, err := in.Dial(t.Context(), "", ""); err == nil {
			t.Error("Dial: got a connection, want it refused")
		}

		in.Behave(inbox.Behaviour{})
		if err := send(client(t, in), "zoe@example.com", plainMail("a@example.com")); err != nil {
			t.Errorf("up again: got %v, want nil", err)
		}
	})
}

func TestDownClosesTCPConnections(t *testing.T) {
	t.Parallel()
	in := start(t, inbox.Config{SMTP: "127.0.0.1:0"})
	in.Behave(inbox.Behaviour{Down: true})
	conn, err := net.Dial("tcp", in.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("got %d bytes, want the connection closed", n)
	}
}

func TestRunEndsWhileMailHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, stop := open(t, inbox.Config{})
		in.Behave(inbox.Behaviour{At: ".", Late: time.Hour})
		hanging, idle := client(t, in), client(t, in)
		if err := idle.Noop(); err != nil {
			t.Fatal(err)
		}
		answer := make(chan error)
		go func() { answer <- send(hanging, "zoe@example.com", plainMail("a@example.com")) }()
		synctest.Wait()

		begun := time.Now()
		stop()
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("Run took %s to end, want at most 2s", took)
		}
		if err := <-answer; err == nil {
			t.Error("the hanging mail was answered with 250")
		}
		if _, err := in.Dial(t.Context(), "", ""); err == nil {
			t.Error("Dial after Run: got a connection, want it refused")
		}
	})
}

func TestMailOverTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	in := start(t, inbox.Config{})
	c := client(t, in)
	if got := code(send(c, "zoe@example.com", plainMail("big@example.com")+strings.Repeat(strings.Repeat("x", 70)+"\r\n", 11<<20/72))); got != 552 {
		t.Errorf("11 MiB: got %d, want 552", got)
	}
	if got := in.Deliveries(); len(got) != 0 {
		t.Errorf("deliveries: got %v, want none", got)
	}
}

func TestOpenRefusesInvalidConfigs(t *testing.T) {
	t.Parallel()
	taken := start(t, inbox.Config{SMTP: "127.0.0.1:0", HTTP: "127.0.0.1:0"})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, row := range []struct {
		name string
		cfg  inbox.Config
	}{
		{"an SMTP address in use", inbox.Config{SMTP: taken.SMTPAddr(), Dir: dir}},
		{"an HTTP address in use", inbox.Config{SMTP: "127.0.0.1:0", HTTP: taken.HTTPAddr(), Dir: dir}},
		{"no address", inbox.Config{SMTP: "where?", Dir: dir}},
		{"a file for a folder", inbox.Config{Dir: file}},
	} {
		if _, err := inbox.Open(row.cfg); err == nil {
			t.Errorf("%s: got nil, want an error", row.name)
		}
	}
	start(t, inbox.Config{Dir: dir}) // which the failed ones have unlocked
}

func TestDialEndsWithItsContext(t *testing.T) {
	t.Parallel()
	in, err := inbox.Open(inbox.Config{}) // Run is not called
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := in.Dial(ctx, "", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	t.Parallel()
	in := start(t, inbox.Config{SMTP: "127.0.0.1:0", Dir: t.TempDir()})
	const clients, each = 16, 8
	var g errgroup.Group
	for i := range clients {
		g.Go(func() error {
			c, err := smtp.Dial(in.SMTPAddr())
			if err != nil {
				return err
			}
			defer c.Close()
			for j := range each {
				if err := send(c, "zoe@example.com", plainMail(fmt.Sprintf("%d@example.com", i*each+j/2))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, n := range in.Deliveries() {
		total += n
	}
	if total != clients*each {
		t.Errorf("counted %d deliveries, want %d", total, clients*each)
	}
	got := get[struct{ Total int }](t, in, "/api/v1/messages?limit=1")
	if got.Total != clients*each {
		t.Errorf("listed %d mails, want %d", got.Total, clients*each)
	}
}

func TestRestartKeepsAcknowledgedMails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in, stop := open(t, inbox.Config{Dir: dir})
	if err := send(client(t, in), "zoe@example.com", plainMail("a@example.com")); err != nil {
		t.Fatal(err)
	}
	before := fetch(in, "/api/v1/messages").Body.String()
	stop()

	in = start(t, inbox.Config{Dir: dir})
	if diff := cmp.Diff(before, fetch(in, "/api/v1/messages").Body.String()); diff != "" {
		t.Errorf("messages (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"a@example.com": 1}, in.Deliveries()); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
}
