// Package securetest provides tests with a Kafka that asks for TLS, a sign-in and ACLs, and with the
// certificates for it.
//
// Start runs kfake in the process; Connect is the administrator of a broker that runs already. ACLs
// reads the permissions that deploy/kafka grants.
package securetest

import (
	"context"
	"crypto/tls"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
)

// The user who may do everything on a secured broker.
const (
	Admin         = "admin"
	AdminPassword = "the-admin-of-the-tests"
)

// partitions is the number of partitions of each topic.
const partitions = 3

// Kafka is a broker with the topics of one prefix, as its administrator sees it.
type Kafka struct {
	Client  *kgo.Client // of the administrator
	Topics  topic.Set
	Brokers []string
}

// Config says what a secured kfake asks of its clients.
type Config struct {
	Authority *Authority         // signs the broker's certificate; nil: no TLS
	Until     time.Time          // end of the broker's certificate
	Clients   tls.ClientAuthType // whether clients need a certificate, too
	Users     []string           // who may sign in, each with PasswordOf
}

// PasswordOf is the password of a user of a secured kfake.
func PasswordOf(user string) string { return user + "-secret" }

// Start runs kfake with SASL, and with ACLs that allow nothing to anybody but Admin.
func Start(t testing.TB, s Config) *Kafka {
	t.Helper()
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs()}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		opts = append(opts, kfake.Superuser(mechanism, Admin, AdminPassword))
		for _, user := range s.Users {
			opts = append(opts, kfake.User(mechanism, user, PasswordOf(user)))
		}
	}
	config := kafka.Config{Security: kafka.Security{SASL: "scram-sha-256", User: Admin, Password: AdminPassword}}
	if s.Authority != nil {
		opts = append(opts, kfake.TLS(s.Authority.server(t, s.Until, s.Clients)))
		config.Security.TLS, config.Security.CA = true, s.Authority.CA
	}
	if s.Clients >= tls.RequireAnyClientCert {
		config.Security.Cert, config.Security.Key = s.Authority.Issue(t, Admin, s.Until)
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatalf("starting kfake: %v", err)
	}
	t.Cleanup(cluster.Close)
	config.Brokers = cluster.ListenAddrs()
	k := Connect(t, config, "orders")
	if _, err := kafka.Create(t.Context(), k.Client, k.Topics, partitions, 0); err != nil {
		t.Fatal(err)
	}
	return k
}

// Connect connects as an administrator of a broker that runs already. It creates no topics.
func Connect(t testing.TB, config kafka.Config, prefix string) *Kafka {
	t.Helper()
	cl, err := config.Connect(t.Context(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return &Kafka{cl, topic.Names(prefix), config.Brokers}
}

// ACL is one permission of a file like deploy/kafka/acls.sh.
type ACL struct{ Principal, Operation, Kind, Name string }

// String names the operation and the resource, as errors of package kafka do.
func (a ACL) String() string { return a.Operation + " on " + a.Kind + " " + a.Name }

// row is a command of such a file; variable is a name in it.
var (
	row      = regexp.MustCompile(`(?m)^allow "\$(\w+)" (\S+) ([\w-]+) (.*)$`)
	variable = regexp.MustCompile(`"\$(prefix|group)([^"]*)"|kafka-cluster`)
)

// ACLs reads deploy/kafka/acls.sh, whose path is passed. The principals are the names of the variables: api, worker, operator
// and creator.
func ACLs(t testing.TB, path, prefix, group string) (all []ACL) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"prefix": prefix, "group": group}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		for _, name := range variable.FindAllStringSubmatch(m[4], -1) {
			of := name[0]
			if name[1] != "" {
				of = values[name[1]] + name[2]
			}
			for op := range strings.SplitSeq(m[2], ",") {
				all = append(all, ACL{m[1], op, m[3], of})
			}
		}
	}
	return all
}

// Allow adds ACLs. It returns when the broker applies them to new requests.
func (k *Kafka) Allow(t testing.TB, acls ...ACL) {
	t.Helper()
	req := kmsg.NewPtrCreateACLsRequest()
	for _, a := range acls {
		c := kmsg.NewCreateACLsRequestCreation()
		c.ResourceType, c.ResourceName, c.ResourcePatternType = kindOf(a), a.Name, patternOf(a)
		c.Principal, c.Host, c.Operation, c.PermissionType = "User:"+a.Principal, "*", operationOf(t, a), kmsg.ACLPermissionTypeAllow
		req.Creations = append(req.Creations, c)
	}
	answer, err := req.RequestWith(context.Background(), k.Client)
	if err != nil {
		t.Fatalf("creating ACLs: %v", err)
	}
	for i, r := range answer.Results {
		if r.ErrorCode != 0 {
			t.Fatalf("creating %+v: error %d", acls[i], r.ErrorCode)
		}
	}
}

// Deny removes ACLs that Allow added.
func (k *Kafka) Deny(t testing.TB, acls ...ACL) {
	t.Helper()
	req := kmsg.NewPtrDeleteACLsRequest()
	for _, a := range acls {
		f := kmsg.NewDeleteACLsRequestFilter()
		principal, host := "User:"+a.Principal, "*"
		f.ResourceType, f.ResourceName, f.ResourcePatternType = kindOf(a), &a.Name, patternOf(a)
		f.Principal, f.Host, f.Operation, f.PermissionType = &principal, &host, operationOf(t, a), kmsg.ACLPermissionTypeAllow
		req.Filters = append(req.Filters, f)
	}
	answer, err := req.RequestWith(context.Background(), k.Client)
	if err != nil {
		t.Fatalf("deleting ACLs: %v", err)
	}
	for i, r := range answer.Results {
		if r.ErrorCode != 0 || len(r.MatchingACLs) != 1 {
			t.Fatalf("deleting %+v: error %d, %d ACLs", acls[i], r.ErrorCode, len(r.MatchingACLs))
		}
	}
}

func kindOf(a ACL) kmsg.ACLResourceType {
	switch a.Kind {
	case "topic":
		return kmsg.ACLResourceTypeTopic
	case "group":
		return kmsg.ACLResourceTypeGroup
	case transactionalID:
		return kmsg.ACLResourceTypeTransactionalId
	}
	return kmsg.ACLResourceTypeCluster
}

// transactionalID is the kind of an ACL whose name is how transactional IDs begin.
const transactionalID = "transactional-id"

func patternOf(a ACL) kmsg.ACLResourcePatternType {
	if a.Kind == transactionalID {
		return kmsg.ACLResourcePatternTypePrefixed
	}
	return kmsg.ACLResourcePatternTypeLiteral
}

func operationOf(t testing.TB, a ACL) kmsg.ACLOperation {
	t.Helper()
	op, err := kmsg.ParseACLOperation(a.Operation)
	if err != nil {
		t.Fatal(err)
	}
	return op
}
