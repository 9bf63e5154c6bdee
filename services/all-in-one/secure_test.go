package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/securetest"
	"example.com/orders/shared/topic"
)

// secured is an Apache Kafka with TLS, sign-in and the ACLs of deploy/kafka, and our programs on it, each with
// its own user.
type secured struct {
	*kit
	kafka     *securetest.Kafka
	authority *securetest.Authority
	bin       string
	acls      []securetest.ACL
	group     string
}

// TestSecuredKafka is one test, because starting the broker takes seconds.
func TestSecuredKafka(t *testing.T) {
	if os.Getenv("ORDERS_TEST_BROKERS") == "" {
		t.Skip("needs a real Kafka: start one with scripts/kafka and set ORDERS_TEST_BROKERS to its address")
	}
	t.Parallel()
	s := startSecured(t)
	s.refusesWithoutCreatingTopics(t)
	s.refusesConnections(t)
	s.namesEachMissingACL(t)
	s.worksWithTheACLsOfDeploy(t)
}

func startSecured(t *testing.T) *secured {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	k := &kit{t: t, workdir: t.TempDir(), programs: map[string]*program{}}
	t.Cleanup(func() {
		for name, p := range k.programs {
			p.end(os.Kill)
			if t.Failed() {
				t.Logf("%s printed:\n%s", name, p.text())
			}
		}
	})
	s := &secured{kit: k, authority: securetest.NewAuthority(t), bin: t.TempDir(), group: "secured-workers"}
	build := exec.Command("go", "build", "-o", s.bin+"/", "./services/order-api", "./services/order-worker", "./services/order-api/cmd/ordersctl")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the programs: %v\n%s", err, out)
	}
	address := s.startBroker(t, root)
	config := kafka.Config{Brokers: []string{address}, Security: kafka.Security{
		TLS: true, CA: s.authority.CA, SASL: "plain", User: securetest.Admin, Password: securetest.AdminPassword,
	}}
	s.kafka = securetest.Connect(t, config, "secured")
	s.acls = securetest.ACLs(t, filepath.Join(root, "deploy/kafka/acls.sh"), "secured", s.group)
	s.kafka.Allow(t, s.acls...)
	for user, mechanism := range map[string]kadm.ScramMechanism{"api": kadm.ScramSha256, "worker": kadm.ScramSha512} {
		made, err := kadm.NewClient(s.kafka.Client).AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{
			{User: user, Mechanism: mechanism, Iterations: 4096, Password: securetest.PasswordOf(user)},
		})
		if err = errors.Join(err, made[user].Err); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// startBroker runs scripts/kafka, and returns its address.
func (s *secured) startBroker(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	cert, key := s.authority.Issue(t, "broker", time.Now().Add(24*time.Hour))
	var keystore []byte
	for _, part := range []string{key, cert} {
		text, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		keystore = append(keystore, text...)
	}
	users := fmt.Sprintf("org.apache.kafka.common.security.plain.PlainLoginModule required username=%q password=%q", securetest.Admin, securetest.AdminPassword)
	for _, user := range []string{securetest.Admin, "operator"} {
		password := securetest.PasswordOf(user)
		if user == securetest.Admin {
			password = securetest.AdminPassword
		}
		users += fmt.Sprintf(" user_%s=%q", user, password)
	}
	ca, err := os.ReadFile(s.authority.CA)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"keystore.pem": keystore, "ca.pem": ca, "plain.jaas": []byte(users + ";")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t)
	p, err := s.launch("kafka", filepath.Join(root, "scripts/kafka"), "--secure", dir, "--data", t.TempDir(), "--port", port)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.line(regexp.MustCompile("^kafka: ready on"), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.end(os.Interrupt)
		delete(s.programs, "kafka")
	})
	return "127.0.0.1:" + port
}

// freePort returns a port that is free, as well as the next one. It is below those that systems give to outgoing
// connections, one of which may take a port before the broker does. The port after them is occupied until the test ends.
func freePort(t *testing.T) string {
	t.Helper()
	for port := 31000; port < 32700; port += 3 {
		free := true
		for _, n := range []int{port, port + 1, port + 2} {
			ln, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", n))
			if free = free && err == nil; err != nil {
				continue
			}
			defer ln.Close()
		}
		if free {
			return strconv.Itoa(port)
		}
	}
	t.Fatal("no port is free")
	return ""
}

// flags are those with which a principal connects: each in another way.
func (s *secured) flags(t *testing.T, principal string) []string {
	t.Helper()
	flags := []string{"--brokers", s.kafka.Brokers[0], "--prefix", "secured", "--kafka-tls-ca", s.authority.CA}
	password := filepath.Join(s.bin, principal+".password")
	if err := os.WriteFile(password, []byte(securetest.PasswordOf(principal)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	signIn := func(mechanism string) []string {
		return append(flags, "--kafka-sasl", mechanism, "--kafka-sasl-user", principal, "--kafka-sasl-password-file", password)
	}
	switch principal {
	case "api":
		return signIn("scram-sha-256")
	case "worker":
		cert, key := s.authority.Issue(t, "worker", time.Now().Add(time.Hour))
		return append(signIn("scram-sha-512"), "--kafka-tls-cert", cert, "--kafka-tls-key", key)
	case "operator":
		return signIn("plain")
	}
	// The default validator of Kafka, for development, accepts tokens without a signature.
	part := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, principal, time.Now().Unix(), time.Now().Add(time.Hour).Unix())
	token := filepath.Join(s.bin, principal+".token")
	if err := os.WriteFile(token, []byte(part([]byte(`{"alg":"none"}`))+"."+part([]byte(claims))+"."), 0o600); err != nil {
		t.Fatal(err)
	}
	return append(flags, "--kafka-sasl", "oauthbearer", "--kafka-sasl-token-file", token)
}

// run runs a program to its end, and returns what it printed and its exit status.
func (s *secured) run(t *testing.T, name string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, name), args...)
	cmd.Dir = s.workdir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	_ = cmd.Run() // the exit status is its error
	return out.String(), cmd.ProcessState.ExitCode()
}

// must runs a program that has to succeed.
func (s *secured) must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, status := s.run(t, name, args...)
	if status != 0 {
		t.Fatalf("%s %s: exit status %d:\n%s", name, strings.Join(args, " "), status, out)
	}
	return out
}

func (s *secured) refusesWithoutCreatingTopics(t *testing.T) {
	t.Helper()
	out, status := s.run(t, "ordersctl", append([]string{"topics", "create"}, s.flags(t, "operator")...)...)
	if status != 1 || !strings.Contains(out, "not authorized: needs Create on topic secured") {
		t.Errorf("creating topics as the operator: exit status %d:\n%s", status, out)
	}
	s.must(t, "ordersctl", append([]string{"topics", "create", "--partitions", "3"}, s.flags(t, "creator")...)...)
	s.must(t, "ordersctl", append([]string{"topics", "check"}, s.flags(t, "operator")...)...)
}

func (s *secured) refusesConnections(t *testing.T) {
	t.Helper()
	expired, key := s.authority.Issue(t, "expired", time.Now().Add(-time.Minute))
	brokers, other := []string{"--brokers", s.kafka.Brokers[0], "--prefix", "secured"}, securetest.NewAuthority(t)
	worker := s.flags(t, "worker")
	wrong := filepath.Join(s.bin, "wrong.password")
	if err := os.WriteFile(wrong, []byte("guess"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, want string
		flags      []string
	}{
		{"wrong password", "the broker refuses the SASL sign-in", slices.Concat(worker, []string{"--kafka-sasl-password-file", wrong})},
		{"expired certificate", "expired at", slices.Concat(worker, []string{"--kafka-tls-cert", expired, "--kafka-tls-key", key})},
		{"wrong authority", "not signed by an authority in --kafka-tls-ca", slices.Concat(worker, []string{"--kafka-tls-ca", other.CA})},
		{"plaintext client", "is this a plaintext connection speaking to a tls endpoint?", brokers},
		{"no sign-in", "is SASL missing?", slices.Concat(brokers, []string{"--kafka-tls-ca", s.authority.CA})},
	} {
		began := time.Now()
		out, status := s.run(t, "order-worker", append(slices.Clip(row.flags), "--health", "127.0.0.1:0")...)
		if status != 1 || !strings.Contains(out, row.want) || time.Since(began) > soon || strings.Count(out, "\n") > 10 {
			t.Errorf("%s: exit status %d after %s, want 1 and %q soon:\n%s", row.name, status, time.Since(began), row.want, out)
		}
	}
}

// namesEachMissingACL removes each ACL, one by one. What a program checks at its start must name it.
func (s *secured) namesEachMissingACL(t *testing.T) {
	t.Helper()
	set := topic.Names("secured")
	grants := map[string][]kafka.Grant{
		"api": kafka.APIGrants(set, s.group), "worker": kafka.WorkerGrants(set, s.group), "operator": kafka.SkipGrants(set),
	}
	for principal, of := range grants {
		flags := s.flags(t, principal)
		security := kafka.Security{
			TLS: true, CA: s.authority.CA, SASL: flags[7], User: principal, Password: securetest.PasswordOf(principal),
		}
		cl, err := kafka.Config{Brokers: s.kafka.Brokers, Security: security}.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		check := func() error {
			_, err := kafka.Check(t.Context(), cl, set, of...)
			return err
		}
		for _, a := range s.acls {
			if a.Principal != principal || a.Kind == "cluster" || principal == "operator" && a.Kind == "group" {
				continue
			}
			s.kafka.Deny(t, a)
			err := eventually(check, func(err error) bool { return err != nil })
			if err == nil || !strings.Contains(err.Error(), "not authorized: needs ") || !strings.Contains(err.Error(), a.Operation) ||
				!strings.Contains(err.Error(), " on "+a.Kind+" "+a.Name+" (") {
				t.Errorf("%s without %s: got %v", principal, a, err)
			}
			s.kafka.Allow(t, a)
			if err := eventually(check, func(err error) bool { return err == nil }); err != nil {
				t.Errorf("%s with %s again: got %v", principal, a, err)
			}
		}
		cl.Close()
	}
	group := securetest.ACL{Principal: "worker", Operation: "Read", Kind: "group", Name: s.group}
	s.kafka.Deny(t, group)
	out, status := s.run(t, "order-worker", append(s.flags(t, "worker"), "--group", s.group, "--health", "127.0.0.1:0")...)
	s.kafka.Allow(t, group)
	if status != 1 || !strings.Contains(out, "not authorized: needs Read on group "+s.group) {
		t.Errorf("a worker that may not join: exit status %d:\n%s", status, out)
	}
}

// eventually asks until an answer fits: the broker learns of ACLs from its controller, soon after that has answered.
func eventually(ask func() error, fits func(error) bool) (err error) {
	for until := time.Now().Add(patience); time.Now().Before(until); {
		if err = ask(); fits(err) {
			return err
		}
	}
	return err
}

const securedOrder = `{"customer": {"name": "Ada Example", "email": "ada@example.com"},
 "ship_to": {"line1": "1 Sample Street", "city": "Berlin", "postal_code": "10115", "country": "DE"},
 "service": "standard", "items": [{"sku": "BOTTLE-750", "quantity": 1}]}`

func (s *secured) worksWithTheACLsOfDeploy(t *testing.T) {
	t.Helper()
	in := runInbox(t)
	if err := os.WriteFile(filepath.Join(s.workdir, "order.json"), []byte(securedOrder), 0o600); err != nil {
		t.Fatal(err)
	}
	worker, err := s.launch("worker", filepath.Join(s.bin, "order-worker"),
		append(s.flags(t, "worker"), "--group", s.group, "--smtp", in.SMTPAddr(), "--health", "127.0.0.1:0")...)
	if err != nil {
		t.Fatal(err)
	}
	api, err := s.launch("api", filepath.Join(s.bin, "order-api"), append(s.flags(t, "api"), "--group", s.group, "--http", "127.0.0.1:0", "--data", "data")...)
	if err != nil {
		t.Fatal(err)
	}
	at, err := api.line(regexp.MustCompile(`msg=listening .*address=(\S+)`), 0)
	if err != nil {
		t.Fatal(err)
	}
	ctl := func(args ...string) []string { return append(args, "--api", "http://"+at[1]) }
	if out := s.must(t, "ordersctl", ctl("place", "--wait", "60s", "order.json")...); !strings.Contains(out, "confirmed") {
		t.Errorf("placed: %s", out)
	}
	s.replays(t, in, ctl)
	s.waitsForAccess(t, worker, ctl)
	s.must(t, "ordersctl", append([]string{"audit", "--group", s.group}, s.flags(t, "operator")...)...)
	s.must(t, "ordersctl", append([]string{"invoice", "gaps"}, s.flags(t, "operator")...)...)
	for _, name := range []string{"worker", "api"} {
		if state := s.programs[name].end(os.Interrupt); state.ExitCode() != 0 {
			t.Errorf("%s: %s", name, state)
		}
	}
}

// replays replays a dead letter of a refused mail.
func (s *secured) replays(t *testing.T, in *inbox.Inbox, ctl func(...string) []string) {
	t.Helper()
	in.Behave(inbox.Behaviour{At: "RCPT", Code: 550})
	out, _ := s.run(t, "ordersctl", ctl("place", "--wait", "60s", "order.json")...)
	in.Behave(inbox.Behaviour{})
	found := regexp.MustCompile(`dead letter (\d+-\d+)`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("placed an order whose mail is refused: %s", out)
	}
	if out := s.must(t, "ordersctl", ctl("dlq", "replay", "--wait", "60s", found[1])...); !strings.Contains(out, "confirmed") {
		t.Errorf("replayed: %s", out)
	}
}

// waitsForAccess takes an ACL from the worker while it runs. It logs which one, works on without a hot loop, and
// continues when it is granted again.
func (s *secured) waitsForAccess(t *testing.T, worker *program, ctl func(...string) []string) {
	t.Helper()
	acl := securetest.ACL{Principal: "worker", Operation: "Write", Kind: "topic", Name: "secured.status"}
	s.kafka.Deny(t, acl)
	if _, err := worker.line(regexp.MustCompile(`Kafka denies access: .*not authorized: needs Write on topic secured\.status`), worker.seen); err != nil {
		t.Fatal(err)
	}
	before, lines := cpu(t, worker), strings.Count(worker.text(), "\n")
	out, status := s.run(t, "ordersctl", ctl("place", "--wait", "10s", "order.json")...)
	if status == 0 || !strings.Contains(out, "accepted") {
		t.Errorf("placed while the worker may not write: exit status %d: %s", status, out)
	}
	used, more := cpu(t, worker)-before, strings.Count(worker.text(), "\n")-lines
	if used > 2*time.Second || more > 10 {
		t.Errorf("without access for 10 s: %s of CPU and %d lines, want no hot loop:\n%s", used, more, worker.text())
	}
	s.kafka.Allow(t, acl)
	if _, err := worker.line(regexp.MustCompile(`Kafka grants access again`), worker.seen); err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`ord_[a-z0-9]+`).FindString(out)
	if out := s.must(t, "ordersctl", ctl("watch", id)...); !strings.Contains(out, "confirmed") {
		t.Errorf("after access was granted: %s", out)
	}
}

// cpu is the CPU time that a process has used.
func cpu(t *testing.T, p *program) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')'):]))
	user, err1 := strconv.Atoi(fields[12])
	system, err2 := strconv.Atoi(fields[13])
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}
