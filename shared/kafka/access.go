package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/topic"
)

// Grant is what a program must be allowed to do with one resource of Kafka.
type Grant struct {
	Kind       string   // topic, group or transactional-id
	Name       string   // of transactional IDs, how they begin
	Operations []string // as in kafka-acls.sh: Read, Write, Create, Describe, DescribeConfigs
}

// operations are those of all grants, by the protocol's number.
var operations = map[kmsg.ACLOperation]string{
	kmsg.ACLOperationRead: "Read", kmsg.ACLOperationWrite: "Write", kmsg.ACLOperationCreate: "Create",
	kmsg.ACLOperationDescribe: "Describe", kmsg.ACLOperationDescribeConfigs: "DescribeConfigs",
}

// DeskGroup is the consumer group whose members own the partitions of the topic of the desk.
func DeskGroup(t topic.Set) string { return t.Desk }

// DeskTransactions is how the transactional IDs of these owners begin: the number of the partition
// follows.
func DeskTransactions(t topic.Set) string { return t.Desk + "." }

// APIGrants are what order-api needs. Read and Write include Describe.
func APIGrants(t topic.Set, group string) []Grant {
	return append(checked(t, map[string][]string{
		t.Orders: {"Read", "Write"}, t.Status: {"Read"}, t.Invoices: {"Read"}, t.DLQ: {"Read"}, t.Replay: {"Write"}, t.Desk: {"Read", "Write"},
		t.Workers: {"Read"},
	}), Grant{"group", group, []string{"Describe"}}, Grant{"group", DeskGroup(t), []string{"Read"}},
		Grant{"transactional-id", DeskTransactions(t), []string{"Write"}})
}

// WorkerGrants are what order-worker needs.
func WorkerGrants(t topic.Set, group string) []Grant {
	both := []string{"Read", "Write"}
	return append(checked(t, map[string][]string{
		t.Orders: {"Read"}, t.Replay: {"Read"}, t.Retry10s: both, t.Retry2m: both, t.Waiting: both, t.Status: both, t.Invoices: both, t.DLQ: both,
		t.Desk: {"Write"}, t.Workers: {"Write"},
	}), Grant{"group", group, []string{"Read"}})
}

// AuditGrants are what ordersctl needs to audit the topics.
func AuditGrants(t topic.Set, group string) []Grant {
	read := map[string][]string{}
	for _, name := range namesOf(t) {
		read[name] = []string{"Read"}
	}
	return append(checked(t, read), Grant{"group", group, []string{"Describe"}})
}

// SkipGrants are what ordersctl needs to skip a batch, of any topic.
func SkipGrants(t topic.Set) []Grant {
	need := map[string][]string{t.DLQ: {"Read", "Write"}, t.Invoices: {"Read", "Write"}}
	for _, name := range namesOf(t) {
		if need[name] == nil {
			need[name] = []string{"Read"}
		}
	}
	return checked(t, need)
}

// CreateGrants are what ordersctl needs to create the topics.
func CreateGrants(t topic.Set) (grants []Grant) {
	for _, name := range namesOf(t) {
		grants = append(grants, Grant{"topic", name, []string{"Create", "Describe"}})
	}
	return grants
}

// checked are grants with which all topics of a set can be checked, too.
func checked(t topic.Set, need map[string][]string) (grants []Grant) {
	for _, name := range namesOf(t) {
		ops := need[name]
		if len(ops) == 0 {
			ops = []string{"Describe"}
		}
		grants = append(grants, Grant{"topic", name, append(slices.Clip(ops), "DescribeConfigs")})
	}
	return grants
}

// DeniedError lists what the brokers do not allow this program.
type DeniedError struct {
	Missing []Grant // at least one
	Err     error   // an answer of the brokers; or nil
}

// Error names each operation and its resource.
func (d *DeniedError) Error() string {
	var needs []string
	for _, g := range d.Missing {
		needs = append(needs, fmt.Sprintf("%s on %s %s", strings.Join(g.Operations, " and "), g.Kind, g.Name))
	}
	return "not authorized: needs " + strings.Join(needs, ", ") + " (deploy/kafka/acls.md)"
}

// Unwrap returns the answer of the brokers.
func (d *DeniedError) Unwrap() error { return d.Err }

// authorize returns a DeniedError with all that is missing of some grants. Topics that do not exist
// are left out. Create cannot be asked for.
func authorize(ctx context.Context, cl *kgo.Client, grants []Grant) error {
	var names []string
	for _, g := range grants {
		if g.Kind == "topic" {
			names = append(names, g.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	found, err := listTopics(ctx, cl, names)
	if err != nil {
		return fmt.Errorf("asking what is authorized: %w", err)
	}
	return denied(ctx, cl, grants, found)
}

// denied compares grants with an answer of listTopics, and asks about the others.
func denied(ctx context.Context, cl *kgo.Client, grants []Grant, found kadm.TopicDetails) error {
	var d DeniedError
	for _, g := range grants {
		lacks, err := g.Operations, error(nil)
		if g.Kind == "topic" {
			lacks, err = lacking(g, found[g.Name])
		} else if err = ask(ctx, cl, g); err == nil {
			continue
		}
		switch {
		case Classify(err) == Denied:
			d.Err = err
		case err != nil && Classify(err) == Away: // as on a new cluster: the group has no coordinator yet; a denial shows later
			continue
		case err != nil && len(d.Missing) == 0:
			return fmt.Errorf("asking what is authorized: %w", err)
		case err != nil: // what is known to be missing is worth more
			continue
		}
		if len(lacks) > 0 {
			d.Missing = append(d.Missing, Grant{g.Kind, g.Name, lacks})
		}
	}
	if len(d.Missing) == 0 {
		return nil
	}
	return &d
}

// lacking returns the operations of a grant that a topic does not allow, and the broker's refusal.
func lacking(g Grant, t kadm.TopicDetail) (ops []string, err error) {
	if errors.Is(t.Err, kerr.TopicAuthorizationFailed) {
		return slices.DeleteFunc(slices.Clone(g.Operations), func(op string) bool { return op == "Create" }), t.Err
	}
	if len(t.AuthorizedOperations) == 0 {
		return nil, nil // no such topic, or a broker that does not say
	}
	for _, op := range g.Operations {
		allows := slices.ContainsFunc(t.AuthorizedOperations, func(o kadm.ACLOperation) bool { return operations[o] == op })
		if !allows && op != "Create" {
			ops = append(ops, op)
		}
	}
	return ops, nil
}

// ask is an error if a group or a transactional ID does not allow the operation of a grant. Brokers check that first, so a
// request of a member or of a producer that does not exist shows it; it has no effect.
func ask(ctx context.Context, cl *kgo.Client, g Grant) error {
	switch {
	case g.Kind == "transactional-id":
		req := kmsg.NewPtrEndTxnRequest()
		req.TransactionalID, req.ProducerID = g.Name+"0", -1
		answer, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		return only(kerr.TransactionalIDAuthorizationFailed, answer.ErrorCode)
	case slices.Contains(g.Operations, "Read"):
		req := kmsg.NewPtrHeartbeatRequest()
		req.Group, req.MemberID = g.Name, "no member: asks what is authorized"
		answer, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		return only(kerr.GroupAuthorizationFailed, answer.ErrorCode)
	}
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{g.Name}
	answer, err := req.RequestWith(ctx, cl)
	if err != nil || len(answer.Groups) != 1 {
		return err
	}
	return only(kerr.GroupAuthorizationFailed, answer.Groups[0].ErrorCode)
}

// only is a refusal, if that is what a code says.
func only(refusal *kerr.Error, code int16) error {
	if code == refusal.Code {
		return refusal
	}
	return nil
}
