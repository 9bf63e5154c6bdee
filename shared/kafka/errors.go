package kafka

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// What One returns for an offset without a record that can be read.
var (
	ErrGone = errors.New("no record at this offset")
	ErrOpen = errors.New("the record is behind an open transaction") // which will end
)

// errChanged marks the error of Watch for a topic that was deleted or created again.
var errChanged = errors.New("while this ran")

// Verdict is what an error of Kafka calls for.
type Verdict int

// The verdicts. All but Away and Denied are final: waiting does not cure them.
const (
	Away       Verdict = iota // no broker answers, a leader is being elected, or another cause that passes by itself
	Absent                    // there is no record at the offset
	TopicGone                 // the topic was deleted, or deleted and created again
	Denied                    // the brokers refuse the client: credentials or ACLs, which an operator can change meanwhile
	Unreadable                // a batch whose records cannot be read, as *UnreadableError
	Refused                   // the request or the record violates a setting of the broker or the topic
)

// verdicts lists the final error codes. All others pass by themselves, even if Kafka does not call
// them retriable: a fenced producer or an unknown member, for example, starts over.
var verdicts = map[Verdict][]*kerr.Error{
	Absent:    {kerr.OffsetOutOfRange},
	TopicGone: {kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InconsistentTopicID},
	Denied: {
		kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.TransactionalIDAuthorizationFailed,
		kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState, kerr.SecurityDisabled,
	},
	Refused: {
		kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.InvalidTopicException, kerr.InvalidRequiredAcks,
		kerr.InvalidTimestamp, kerr.UnsupportedVersion, kerr.UnsupportedForMessageFormat, kerr.PolicyViolation, kerr.InvalidConfig,
		kerr.InvalidGroupID, kerr.InconsistentGroupProtocol, kerr.InvalidSessionTimeout, kerr.GroupMaxSizeReached,
	},
}

// Classify decides what an error of Kafka calls for. No other place does.
func Classify(err error) Verdict {
	if _, ok := errors.AsType[*UnreadableError](err); ok {
		return Unreadable
	}
	if errors.Is(err, errChanged) {
		return TopicGone
	}
	if _, ok := errors.AsType[*DeniedError](err); ok {
		return Denied
	}
	answer, answered := errors.AsType[*kerr.Error](err)
	for v, answers := range verdicts {
		if answered && slices.Contains(answers, answer) {
			return v
		}
	}
	if errors.Is(err, ErrGone) {
		return Absent
	}
	return Away
}

// Stops reports whether an error ends the whole process: every partition meets it, and an operator
// cannot help while the process runs.
func (v Verdict) Stops() bool { return v == TopicGone }

// Explain adds to an error that ends the process what an operator can do about it.
func Explain(err error) error {
	if Classify(err) == TopicGone {
		return fmt.Errorf("%w: restore the topics, or create them with ordersctl topics create; then start again", err)
	}
	return err
}

// UnreadableError is a batch whose records cannot be read. Every read of its offsets returns it
// until an operator skips the batch.
type UnreadableError struct {
	Topic     string
	Partition int32
	From, To  int64  // the first offset, and the one after the last; a damaged header makes it one offset
	Batch     []byte // as the broker sent it
	Err       error

	topicID [16]byte
}

// Error names the batch, its defect, and the command that skips it.
func (u *UnreadableError) Error() string {
	return fmt.Sprintf("batch at offsets %d to %d of %s/%d cannot be read: %v (to skip it: ordersctl topics skip %s %d %d)",
		u.From, u.To-1, u.Topic, u.Partition, u.Err, u.Topic, u.Partition, u.From)
}

// Unwrap returns the defect of the batch.
func (u *UnreadableError) Unwrap() error { return u.Err }
