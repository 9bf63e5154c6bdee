package kafka

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Verdict is what an error of Kafka calls for.
type Verdict int

// The verdicts. All but Away are final: waiting does not cure them.
const (
	Away       Verdict = iota // the brokers cannot be reached, or are choosing a leader, or anything else that passes by itself
	Absent                    // no record stands where one was asked for
	TopicGone                 // the topic was deleted, or deleted and created again
	Denied                    // the brokers refuse the client: credentials or ACLs
	Unreadable                // a batch whose records cannot be read, as *UnreadableError
	Refused                   // the request or the record breaks a setting of the broker or the topic
)

// verdicts lists the answers of brokers that are final. What is not listed passes, also when Kafka does not call it retriable:
// a fenced producer or an unknown member, for example, begins again.
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

// Classify is the one place that decides what an error of Kafka calls for.
func Classify(err error) Verdict {
	if _, ok := errors.AsType[*UnreadableError](err); ok {
		return Unreadable
	}
	if errors.Is(err, errTopic) {
		return TopicGone
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

// Stops reports whether an error stops the whole process, because every partition meets it, and no operator can help while the
// process runs.
func (v Verdict) Stops() bool { return v == TopicGone || v == Denied }

// Explain adds to an error that stops the process what an operator does about it.
func Explain(err error) error {
	switch Classify(err) {
	case TopicGone:
		return fmt.Errorf("%w: restore the topics, or create them with ordersctl topics create; then start again", err)
	case Denied:
		return fmt.Errorf("%w: grant this service access (ACLs, credentials), then start again", err)
	}
	return err
}

// UnreadableError is a batch of a partition whose records cannot be read: every read of its offsets ends with it, until an operator has it
// skipped.
type UnreadableError struct {
	Topic     string
	Partition int32
	From, To  int64  // the first offset of the batch, and the one behind its last, as far as its head can be believed
	Batch     []byte // as the broker sent it
	Err       error

	topicID [16]byte
}

// Error names the batch, says what is wrong with it, and which command skips it.
func (u *UnreadableError) Error() string {
	return fmt.Sprintf("batch at offsets %d to %d of %s/%d cannot be read: %v (to skip it: ordersctl topics skip %s %d %d)",
		u.From, u.To-1, u.Topic, u.Partition, u.Err, u.Topic, u.Partition, u.From)
}

// Unwrap returns what is wrong with the batch.
func (u *UnreadableError) Unwrap() error { return u.Err }
