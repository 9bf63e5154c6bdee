// Package trail writes the audit trail: acts of operators, sign-ins and denied attempts, as records
// of orders.desk.
//
// An act is written and acknowledged before its effect. If it cannot be written, there must be no
// effect: no act of an operator is missing in the trail. The outcome is a second record after the
// effect. If that is missing, because the program ended or Kafka did not answer, the outcome is
// unknown. Keys are unique, so compaction removes no act, and nothing in this program deletes one.
//
// Attempts that were refused before anything happened are written as well, but everybody can make
// them: each source has a limit a minute, above which its attempts are counted and written as one
// act. See Trail.Attempt.
package trail

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
	"example.com/orders/shared/tracing"
	"example.com/orders/shared/wire"
)

// The kinds of acts.
const (
	Refund    = "refund"
	Cancel    = "cancel"
	Payment   = "payment"
	Replay    = "replay"
	Edit      = "edit"
	Discard   = "discard"
	Restore   = "restore"
	Note      = "note"
	Assign    = "assign"     // of a cause to somebody
	Import    = "import"     // of decisions about dead letters
	ReplayJob = "replay-job" // a replay job is begun
	Fix       = "fix"        // a replay job is begun that edits each dead letter with a patch
	PauseJob  = "pause"
	ResumeJob = "resume"
	CancelJob = "cancel-job"
	RateJob   = "rate"
	Break     = "break" // a fault on purpose, of all-in-one
	SignIn    = "sign-in"
	KeyChange = "key-change" // the API has read a changed file of API keys
	Denied    = "denied"     // an attempt without the permission that it needs
)

// Act is what somebody does.
type Act struct {
	Kind    string      // one of the constants, or another text of lower-case letters and "-"
	Target  string      // what it is done to, such as "order/ord_1"; what is not printable ASCII is replaced
	Reason  string      // that the actor gives; or empty. Control characters are replaced, and only wire.MaxReason characters are written
	Address string      // of the client, as HOST or HOST:PORT; only its network is written
	Actor   order.Actor // zero: the principal of the context
}

// Trail writes the audit trail. It is safe for concurrent use.
type Trail struct {
	cl       *kgo.Client
	topic    string
	layout   kafka.Layout
	log      *slog.Logger
	attempts attempts
}

// New returns a trail. The client is one of kafka.Config.ConnectProducer, the layout that of
// kafka.Check.
func New(cl *kgo.Client, topics topic.Set, layout kafka.Layout, log *slog.Logger) *Trail {
	return &Trail{cl: cl, topic: topics.Desk, layout: layout, log: log}
}

// ErrUnwritten is an act that cannot be written to the audit trail: it must have no effect.
var ErrUnwritten = errors.New("the audit trail cannot be written")

// How long writing a record may take: before the effect, and after it, when an answer waits for it.
const (
	beginWithin = kafka.DeliveryTimeout - time.Second
	endWithin   = 2 * time.Second
)

// Begin writes an act before its effect. It returns when Kafka has acknowledged the record, or
// ErrUnwritten after 4 s at most; it does not end with ctx. The caller calls end once, after the
// effect, with a problem if the outcome is wire.Refused; end blocks for 2 s at most.
func (t *Trail) Begin(ctx context.Context, a Act) (end func(outcome wire.Outcome, problem string), err error) {
	begun := t.act(ctx, a)
	if err := t.write(ctx, beginWithin, begun); err != nil {
		return nil, err
	}
	return func(outcome wire.Outcome, problem string) {
		if begun.Outcome, begun.Problem = outcome, problem; outcome == wire.Unknown {
			return // as the record before the effect says
		}
		if err := t.write(ctx, endWithin, begun); err != nil {
			t.log.LogAttrs(ctx, slog.LevelWarn, "the outcome of an act is not in the audit trail: it is shown as unknown",
				slog.String(telemetry.Act, begun.ID), slog.String(telemetry.Error, err.Error()))
		}
	}, nil
}

// Record writes an act that has no effect that it must precede, with its outcome: a successful
// sign-in, a change of keys. It blocks for 2 s at most, and its error is ErrUnwritten.
func (t *Trail) Record(ctx context.Context, a Act, outcome wire.Outcome, problem string) error {
	done := t.act(ctx, a)
	done.Outcome, done.Problem = outcome, problem
	return t.write(ctx, endWithin, done)
}

// act is the record of an act that begins now.
func (t *Trail) act(ctx context.Context, a Act) wire.Act {
	if a.Actor == (order.Actor{}) {
		a.Actor = identity.From(ctx).Actor()
	}
	return wire.Act{
		ID: "act_" + strings.ToLower(rand.Text()), At: time.Now().UTC().Truncate(time.Millisecond), Cause: order.Cause{Actor: a.Actor, Trace: tracing.Traceparent(ctx)},
		Kind: a.Kind, Target: cut(a.Target, wire.MaxTarget, ascii), Reason: cut(a.Reason, wire.MaxReason, plain),
		Outcome: wire.Unknown, Address: network(a.Address), Count: 1,
	}
}

// write appends an act. Both records of it are in one partition, which is as good as any other.
func (t *Trail) write(ctx context.Context, within time.Duration, a wire.Act) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	r := a.Record()
	if _, err := wire.ReadAct(r); err != nil { // a kind of another form; the view could not read it either
		return fmt.Errorf("%w: %w", ErrUnwritten, err)
	}
	if _, err := kafka.Append(ctx, t.cl, t.topic, t.layout.Partition([]byte(a.ID)), r); err != nil {
		return fmt.Errorf("%w: %w", ErrUnwritten, err)
	}
	return nil
}

// cut returns at most the first characters of a text, in which those that do not fit are replaced.
func cut(text string, most int, fits func(rune) bool) string {
	var b strings.Builder
	for _, r := range text {
		if most--; most < 0 {
			break
		}
		if !fits(r) {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func ascii(r rune) bool { return r >= ' ' && r <= '~' }

func plain(r rune) bool { return order.TextFault(string(r), 0, 1) == "" }

// network is the network of an address: of IPv4 the first 24 bits, of IPv6 the first 48. It is empty
// for anything else.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if at, err2 := netip.ParseAddrPort(address); err2 == nil {
		ip, err = at.Addr(), nil
	}
	if err != nil {
		return ""
	}
	bits := 48
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(ip, bits).Masked().String()
}
