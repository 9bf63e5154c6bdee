package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/topic"
)

// kit is the state of one story: its programs, and its mail server.
type kit struct {
	t        testing.TB
	real     *kafkatest.Kafka // nil: all-in-one runs the embedded broker
	workdir  string
	programs map[string]*program
	mail     *inbox.Inbox // nil: all-in-one runs the embedded inbox
}

// patience bounds each wait of a story. It matters only for a story that fails.
const patience = 3 * time.Minute

// soon bounds the time to start a program, and to stop it while no mail is slow.
const soon = time.Minute

// runStories runs all stories on the embedded broker, or on the Kafka that start returns.
func runStories(t *testing.T, start func(testing.TB) *kafkatest.Kafka) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata", Cmds: commands(), RequireExplicitExec: true,
		Condition: func(name string) (bool, error) {
			if name != "embedded" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return start == nil, nil
		},
		Setup: func(env *testscript.Env) error {
			k := &kit{t: env.T().(testing.TB), workdir: env.WorkDir, programs: map[string]*program{}}
			if start != nil {
				k.real = start(k.t)
				k.t.Cleanup(k.deleteTopics)
			}
			env.Setenv("ORDERS_PREFIX", k.prefix())
			root, err := filepath.Abs("../..")
			env.Setenv("ROOT", root)
			env.Values["kit"] = k
			env.Defer(func() {
				for name, p := range k.programs {
					p.end(os.Kill)
					printsNoPersonalData(k.t, name, p.text())
					if k.t.Failed() {
						k.t.Logf("%s printed:\n%s", name, p.text())
					}
				}
			})
			return err
		},
	})
}

// prefix is the prefix of the story's topics.
func (k *kit) prefix() string {
	if k.real != nil {
		return k.real.Prefix
	}
	return "orders"
}

// deleteTopics deletes the topics that a story created on a real Kafka: their prefixes begin with
// its own.
func (k *kit) deleteTopics() {
	admin, ctx := kadm.NewClient(k.real.Client), context.Background() // that of the test is done
	all, err := admin.ListTopics(ctx)
	if err != nil {
		k.t.Error(err)
		return
	}
	names := slices.DeleteFunc(all.Names(), func(name string) bool { return !strings.HasPrefix(name, k.real.Prefix+"-") })
	if len(names) == 0 {
		return
	}
	if _, err := admin.DeleteTopics(ctx, names...); err != nil {
		k.t.Errorf("deleting topics %v: %v", names, err)
	}
}

// programs is the directory of the programs that the tests build.
var programs string

// suite runs the tests with a directory for programs.
type suite struct{ *testing.M }

func (s suite) Run() int {
	var err error
	if programs, err = os.MkdirTemp("", "orders-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(programs)
	return s.M.Run()
}

// buildWorker builds order-worker on the first call, and returns its path: a main package cannot be imported.
var buildWorker = sync.OnceValues(func() (string, error) {
	path := filepath.Join(programs, "order-worker")
	if out, err := exec.Command("go", "build", "-o", path, "example.com/orders/services/order-worker").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building order-worker: %w\n%s", err, out)
	}
	return path, nil
})

// commands are the commands of stories, in addition to those of testscript.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	all := map[string]func(*testscript.TestScript, bool, []string){}
	for name, do := range map[string]func(*kit, *testscript.TestScript, []string) error{
		"start": (*kit).start, "another": (*kit).another, "worker": (*kit).startWorker, "await": (*kit).await, "end": (*kit).end, "crash": (*kit).crash,
		"interrupt": (*kit).interrupt, "mail": (*kit).mailServer, "produce": (*kit).produce, "program": (*kit).otherProgram, "sent": (*kit).sent, "listed": (*kit).listed,
		"fetch": (*kit).fetch, "deliveries": (*kit).deliveries, "let": (*kit).let,
	} {
		all[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			if neg {
				ts.Fatalf("%s does not support !", name)
			}
			ts.Check(do(ts.Value("kit").(*kit), ts, args))
		}
	}
	return all
}

// start [flags] starts all-in-one and waits until it has printed its addresses. It sets HTTP, API,
// INBOX, SMTP and BROKERS, for the story and for ordersctl. All starts of a story use the same
// data.
func (k *kit) start(ts *testscript.TestScript, args []string) error {
	embedded, smtp, brokers := []string{"broker", "inbox"}, "127.0.0.1:0", "127.0.0.1:0"
	if k.mail != nil {
		embedded, smtp = embedded[:1], k.mail.SMTPAddr()
	}
	flags := []string{"--http", "127.0.0.1:0", "--inbox", "127.0.0.1:0", "--data", "data", "--smtp", smtp, "--log-level", "info"}
	if k.real != nil {
		embedded, brokers = embedded[1:], strings.Join(k.real.Config().Brokers, ",")
		flags = append(flags, "--prefix", k.real.Prefix, "--group", k.real.Prefix)
	}
	if len(embedded) == 0 {
		embedded = []string{"none"}
	}
	flags = append(flags, "--brokers", brokers, "--embedded", strings.Join(embedded, ","))
	return k.introduce(ts, "all-in-one", "", append(flags, args...))
}

// another NAME PREFIX starts another all-in-one on the same Kafka and mail server, with the topics
// of another prefix. It sets NAME_API.
func (k *kit) another(ts *testscript.TestScript, args []string) error {
	name, prefix := args[0], args[1]
	return k.introduce(ts, name, name+"_", []string{
		"--http", "127.0.0.1:0", "--data", name, "--smtp", ts.Getenv("SMTP"), "--brokers", ts.Getenv("BROKERS"), "--embedded", "none",
		"--prefix", prefix, "--group", prefix,
	})
}

// introduce starts all-in-one and sets the variables from the addresses that it prints.
func (k *kit) introduce(ts *testscript.TestScript, name, before string, flags []string) error {
	began := time.Now()
	p, err := k.launch(name, "all-in-one", flags...)
	if err != nil {
		return err
	}
	for variable, line := range map[string]string{
		"API": `^Documentation +(http://\S+)/docs`, "HTTP": `^Documentation +http://(\S+)/docs`,
		"INBOX": `^Inbox +(http://\S+)/`, "SMTP": `^Mail server +(\S+)`, "BROKERS": `^Kafka +(\S+)`,
	} {
		if variable == "INBOX" && (k.mail != nil || before != "") {
			continue
		}
		found, err := p.line(regexp.MustCompile(line), 0)
		if err != nil {
			return err
		}
		ts.Setenv(before+variable, found[1])
		if before == "" {
			ts.Setenv("ORDERS_"+variable, found[1])
		}
	}
	if took := time.Since(began); took > soon {
		return fmt.Errorf("the addresses were printed after %s, want them within %s", took, soon)
	}
	return nil
}

// worker NAME [flags] starts order-worker.
func (k *kit) startWorker(ts *testscript.TestScript, args []string) error {
	path, err := buildWorker()
	if err != nil {
		return err
	}
	flags := []string{"--brokers", ts.Getenv("BROKERS"), "--smtp", ts.Getenv("SMTP")}
	if k.real != nil {
		flags = append(flags, "--prefix", k.real.Prefix, "--group", k.real.Prefix)
	}
	_, err = k.launch(args[0], path, append(flags, args[1:]...)...)
	return err
}

// await NAME REGEXP waits until a program prints a line that matches, after the line of the last
// await.
func (k *kit) await(_ *testscript.TestScript, args []string) error {
	p, err := k.program(args)
	if err != nil {
		return err
	}
	_, err = p.line(regexp.MustCompile(args[1]), p.seen)
	return err
}

// end NAME [TERM] stops a program with SIGINT or SIGTERM. It must exit with status 0, soon.
func (k *kit) end(_ *testscript.TestScript, args []string) error {
	p, err := k.program(args)
	if err != nil {
		return err
	}
	var signal os.Signal = os.Interrupt
	if len(args) > 1 {
		signal = syscall.SIGTERM
	}
	began := time.Now()
	state := p.end(signal)
	if took := time.Since(began); took > soon || state.ExitCode() != 0 {
		return fmt.Errorf("%s: %s after %s, want exit status 0 within %s:\n%s", args[0], state, took, soon, p.text())
	}
	delete(k.programs, args[0])
	return nil
}

// crash NAME kills a program.
func (k *kit) crash(_ *testscript.TestScript, args []string) error {
	p, err := k.program(args)
	if err != nil {
		return err
	}
	p.end(os.Kill)
	delete(k.programs, args[0])
	return nil
}

// interrupt NAME sends SIGINT until a program with work in flight is killed by it.
func (k *kit) interrupt(_ *testscript.TestScript, args []string) error {
	p, err := k.program(args)
	if err != nil {
		return err
	}
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for ended := false; !ended; {
		p.signal(os.Interrupt)
		select {
		case <-p.ended:
			ended = true
		case <-again.C:
		}
	}
	if got := p.end(nil).String(); got != "signal: interrupt" {
		return fmt.Errorf("%s: %s, want it killed by the signal:\n%s", args[0], got, p.text())
	}
	delete(k.programs, args[0])
	return nil
}

// mail up|down|slow runs a mail server at MAIL, and makes it available or unavailable, or lets it keep
// the next mail until another mail command.
func (k *kit) mailServer(ts *testscript.TestScript, args []string) error {
	if k.mail == nil {
		in, err := inbox.Open(inbox.Config{SMTP: "127.0.0.1:0", HTTP: "127.0.0.1:0"})
		if err != nil {
			return err
		}
		ctx, end := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- in.Run(ctx) }() // ends with the story
		ts.Defer(func() {
			end()
			ts.Check(<-ended)
		})
		k.mail = in
		ts.Setenv("MAIL", in.SMTPAddr())
		ts.Setenv("INBOX", "http://"+in.HTTPAddr())
	}
	behaviour, ok := map[string]inbox.Behaviour{"up": {}, "down": {Down: true}, "slow": {At: ".", Late: time.Minute, Times: 1}}[args[0]]
	if !ok {
		return fmt.Errorf("mail has no %q", args[0])
	}
	k.mail.Behave(behaviour)
	return nil
}

// produce FILE appends the bytes of a file to each partition of the topic orders.
func (k *kit) produce(ts *testscript.TestScript, args []string) error {
	cl, err := kafka.Config{Brokers: []string{ts.Getenv("BROKERS")}}.Connect(k.t.Context(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	layout, err := kafka.Check(k.t.Context(), cl, topic.Names(k.prefix()))
	if err != nil {
		return err
	}
	var records []*kgo.Record
	for p := range int32(layout.Partitions) {
		records = append(records, &kgo.Record{Topic: k.prefix(), Partition: p, Value: []byte(ts.ReadFile(args[0]))})
	}
	return cl.ProduceSync(k.t.Context(), records...).FirstErr()
}

// deliveries N checks that N different mails were delivered, each once.
func (k *kit) deliveries(ts *testscript.TestScript, args []string) error {
	body, err := k.get(ts.Getenv("INBOX") + "/api/v1/deliveries")
	if err != nil {
		return err
	}
	var got struct{ Deliveries map[string]int }
	if err := json.Unmarshal(body, &got); err != nil {
		return err
	}
	for id, times := range got.Deliveries {
		if times != 1 {
			return fmt.Errorf("%s was delivered %d times", id, times)
		}
	}
	if want, err := strconv.Atoi(args[0]); err != nil || len(got.Deliveries) != want {
		return fmt.Errorf("%d mails were delivered, want %s", len(got.Deliveries), args[0])
	}
	return nil
}

// fetch URL FILE downloads a URL into a file.
func (k *kit) fetch(ts *testscript.TestScript, args []string) error {
	body, err := k.get(args[0])
	if err != nil {
		return err
	}
	return os.WriteFile(ts.MkAbs(args[1]), body, 0o600)
}

func (k *kit) get(url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(k.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s\n%s", url, resp.Status, body)
	}
	return body, err
}

// let NAME REGEXP sets a variable to the match in the last stdout, or to its first group.
func (k *kit) let(ts *testscript.TestScript, args []string) error {
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		return fmt.Errorf("nothing matches %s", args[1])
	}
	ts.Setenv(args[0], found[len(found)-1])
	return nil
}

func (k *kit) program(args []string) (*program, error) {
	if p := k.programs[args[0]]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%s is not running", args[0])
}
