package kafka_test

import (
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/securetest"
	"example.com/orders/shared/topic"
)

const acls = "../../deploy/kafka/acls.sh"

// flat has one permission for each operation of grants.
func flat(principal string, all ...[]kafka.Grant) []securetest.ACL {
	found := map[securetest.ACL]bool{}
	for _, g := range slices.Concat(all...) {
		for _, op := range g.Operations {
			found[securetest.ACL{Principal: principal, Operation: op, Kind: g.Kind, Name: g.Name}] = true
		}
	}
	return slices.Collect(maps.Keys(found))
}

func TestTheACLsOfDeployAreWhatTheProgramsCheck(t *testing.T) {
	t.Parallel()
	set, group := topic.Names("shop"), "shop-workers"
	want := slices.Concat(
		flat("api", kafka.APIGrants(set, group)),
		// The size of topics is not known without it.
		[]securetest.ACL{{Principal: "api", Operation: "Describe", Kind: "cluster", Name: "kafka-cluster"}},
		flat("worker", kafka.WorkerGrants(set, group)),
		// The worker only warns without it: see the group's session timeout.
		[]securetest.ACL{{Principal: "worker", Operation: "DescribeConfigs", Kind: "cluster", Name: "kafka-cluster"}},
		flat("operator", kafka.AuditGrants(set, group), kafka.SkipGrants(set)),
		flat("creator", kafka.CreateGrants(set)),
	)
	got := securetest.ACLs(t, acls, "shop", group)
	for _, a := range want {
		if !slices.Contains(got, a) {
			t.Errorf("%s lacks for %s: %s", acls, a.Principal, a)
		}
	}
	for _, a := range got {
		if !slices.Contains(want, a) {
			t.Errorf("%s has for %s, which does not need it: %s", acls, a.Principal, a)
		}
	}
}

func TestTheScriptOfTheACLsPassesThemToItsCommand(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("bash", acls, "echo", "--command-config", "admin.properties")
	cmd.Env = append(os.Environ(), "PREFIX=shop", "GROUP=shop-workers", "API=api", "WORKER=worker", "OPERATOR=operator", "CREATOR=creator")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, a := range securetest.ACLs(t, acls, "shop", "shop-workers") {
		resource := "--" + a.Kind + " " + a.Name + " "
		if a.Kind == "cluster" {
			resource = "--cluster "
		}
		if !slices.ContainsFunc(strings.Split(string(out), "\n"), func(line string) bool {
			return strings.HasPrefix(line, "--command-config admin.properties --add --allow-principal User:"+a.Principal+" ") &&
				strings.Contains(line, resource) && strings.Contains(line+" ", "--operation "+a.Operation+" ")
		}) {
			t.Errorf("no command for %s: %s:\n%s", a.Principal, a, out)
		}
	}
}

func TestEachMissingACLIsNamedAtTheStart(t *testing.T) {
	t.Parallel()
	set, group := topic.Names("orders"), "order-workers"
	k := securetest.Start(t, securetest.Config{Users: []string{"api", "worker", "operator", "creator"}})
	given := securetest.ACLs(t, acls, "orders", group)
	k.Allow(t, given...)
	// Unlike Apache Kafka, kfake authorizes a heartbeat only of a group that exists.
	at := kadm.Offsets{}
	at.Add(kadm.Offset{Topic: set.Orders, At: 0})
	for _, group := range []string{group, kafka.DeskGroup(set)} {
		if err := kadm.NewClient(k.Client).CommitAllOffsets(t.Context(), group, at); err != nil {
			t.Fatal(err)
		}
	}
	for principal, check := range map[string]func(cl *kgo.Client) error{
		"api": func(cl *kgo.Client) error {
			_, err := kafka.Check(t.Context(), cl, set, kafka.APIGrants(set, group)...)
			return err
		},
		"worker": func(cl *kgo.Client) error {
			_, err := kafka.Check(t.Context(), cl, set, kafka.WorkerGrants(set, group)...)
			return err
		},
		"operator": func(cl *kgo.Client) error {
			_, err := kafka.Check(t.Context(), cl, set, append(kafka.SkipGrants(set), kafka.AuditGrants(set, group)[len(kafka.SkipGrants(set)):]...)...)
			return err
		},
	} {
		config := kafka.Config{Brokers: k.Brokers, Security: kafka.Security{SASL: "plain", User: principal, Password: securetest.PasswordOf(principal)}}
		cl, err := config.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		if err := check(cl); err != nil {
			t.Errorf("%s with all ACLs: %v", principal, err)
		}
		for _, a := range given {
			if a.Principal != principal || a.Kind == "cluster" {
				continue
			}
			k.Deny(t, a)
			err := check(cl)
			k.Allow(t, a)
			if kafka.Classify(err) != kafka.Denied || !names(err, a) {
				t.Errorf("%s without %s: got %v", principal, a, err)
			}
		}
	}
}

// names reports whether an error names an ACL, and no other resource. Of a topic that the broker does not show, it
// names all operations.
func names(err error, a securetest.ACL) bool {
	text, found := strings.CutPrefix(err.Error(), "not authorized: needs ")
	return found && strings.Contains(text, a.Operation) && strings.Contains(text, " on "+a.Kind+" "+a.Name+" (") && strings.Count(text, " on ") == 1
}

func TestAPrincipalWithoutAnyACLIsToldOfAll(t *testing.T) {
	t.Parallel()
	set, group := topic.Names("orders"), "order-workers"
	k := securetest.Start(t, securetest.Config{Users: []string{"api"}})
	config := kafka.Config{Brokers: k.Brokers, Security: kafka.Security{SASL: "plain", User: "api", Password: securetest.PasswordOf("api")}}
	cl, err := config.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	_, err = kafka.Check(t.Context(), cl, set, kafka.APIGrants(set, group)...)
	for _, want := range []string{"Read and Write and DescribeConfigs on topic orders,", "Describe on group order-workers"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err = kafka.Create(t.Context(), cl, topic.Names("other"), 1, 0); err == nil || !strings.Contains(err.Error(), "not authorized: needs ") {
		t.Errorf("creating topics: got %v", err)
	}
}
