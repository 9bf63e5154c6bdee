package wire

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/order"
)

// Decision is what an operator decided about a dead letter, or noted about a group of them. It is
// one record in orders.desk with a key of its own, so compaction never removes it. All decisions
// about a dead letter are in one partition, and their sequence there counts.
type Decision struct {
	ID    string // unique: letters, digits, "_" and "-", at most 100
	At    time.Time
	Cause order.Cause // who decided
	Kind  DecisionKind
	// DeadLetter is the ID of the dead letter: "3-124", or "payments.DLT:2-77" for one of another
	// program, which is its topic, partition and offset. It is empty for one about a group.
	DeadLetter string
	Group      string // ID of the group that a note or an assignment is about; or empty
	// Text is the reason, one line of at most MaxReason characters, or empty. The text of a note has
	// 1 to MaxNote characters, and may have line breaks; that of an assignment is whom the group is
	// assigned to, or empty for no one.
	Text string
	// Version is the number of an edit, 1 more than that of the newest edit the editor saw. An edit
	// with another number than the next one changes nothing. It is 0 for other kinds.
	Version int
	Value   []byte // of an edit: the whole new value of the failed record, 1 to MaxEdit bytes; else nil
}

// DecisionKind is what a Decision decides.
type DecisionKind string

// The kinds.
const (
	Discard DecisionKind = "discard"
	Restore DecisionKind = "restore" // takes a discard back
	Note    DecisionKind = "note"
	Edit    DecisionKind = "edit"
	Assign  DecisionKind = "assign" // of a group: the newest one counts
)

// Limits of a decision. The value of an edit is written in base64, and fits into the topic.
const (
	MaxNote = 2_000
	MaxEdit = 768 << 10
)

// Target is the ID of the dead letter or group that the decision is about. Its partition in the
// topic of the desk is that of this key.
func (d *Decision) Target() string { return d.DeadLetter + d.Group }

// Record is the decision as it is written to the topic of the desk.
func (d Decision) Record() *kgo.Record {
	e := Envelope{Type: TypeDecision, ID: d.key(), Time: d.At, Cause: d.Cause, content: jsonType}
	return e.Record([]byte(d.key()), mustJSON(decisionValue{
		schema, d.ID, Stamp(d.At), d.Kind, d.DeadLetter, d.Group, d.Text, d.Version, d.Value,
	}), nil)
}

func (d *Decision) key() string { return "decision/" + d.ID }

// ReadDecision reads a decision.
func ReadDecision(r *kgo.Record) (Decision, error) {
	e, _, err := ReadEnvelope(r, TypeDecision)
	if err != nil {
		return Decision{}, err
	}
	var v decisionValue
	if err := decode(r.Value, &v); err != nil {
		return Decision{}, err
	}
	d := Decision{
		ID: v.ID, At: Unstamp(v.At), Cause: e.Cause, Kind: v.Kind, DeadLetter: v.DeadLetter, Group: v.Group,
		Text: v.Text, Version: v.Version, Value: v.Value,
	}
	if fault := d.fault(); fault != "" || string(r.Key) != d.key() {
		return Decision{}, fmt.Errorf("%w: decision with key %.40q: %s", ErrUndecodable, r.Key, fault)
	}
	return d, nil
}

// deadLetterID is the form of the ID of a dead letter, ours or of another program.
var deadLetterID = regexp.MustCompile(`^([A-Za-z0-9._-]{1,249}:)?[0-9]{1,10}-[0-9]{1,19}$`)

// fault names the first field that is not as Decision describes it, or is "".
func (d *Decision) fault() string {
	most, text := MaxReason, d.Text
	if d.Kind == Note {
		most, text = MaxNote, strings.ReplaceAll(text, "\n", " ")
	}
	switch edit := d.Kind == Edit; {
	case !wellFormed(order.ID(d.ID)):
		return "id"
	case d.At.IsZero():
		return "at"
	case d.Kind != Discard && d.Kind != Restore && d.Kind != Note && d.Kind != Assign && !edit:
		return "kind"
	case d.DeadLetter != "" && !deadLetterID.MatchString(d.DeadLetter), (d.DeadLetter == "") == (d.Group == ""):
		return "dead_letter"
	case d.Group == "" && d.Kind == Assign, d.Group != "" && (d.Kind != Note && d.Kind != Assign || !wellFormed(order.ID(d.Group))):
		return "group"
	case d.Kind == Note && d.Text == "" || order.TextFault(text, 0, most) != "":
		return "text"
	case edit != (d.Version > 0) || d.Version < 0:
		return "version"
	case edit != (len(d.Value) > 0) || len(d.Value) > MaxEdit:
		return "value"
	}
	return ""
}

type decisionValue struct {
	Schema     int          `json:"schema"`
	ID         string       `json:"id"`
	At         string       `json:"at"`
	Kind       DecisionKind `json:"kind"`
	DeadLetter string       `json:"dead_letter,omitempty"`
	Group      string       `json:"group,omitempty"`
	Text       string       `json:"text,omitempty"`
	Version    int          `json:"version,omitempty"`
	Value      []byte       `json:"value,omitempty"`
}
