package audit

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/dlq"
	"example.com/orders/shared/wire"
)

// replays has what replay jobs asked for about one order, and the answers.
type replays struct {
	asked    map[wire.Replayed]int64 // offset of the request
	twice    bool                    // one replay of one job was asked for by two records
	answered map[wire.Replayed]bool  // by a change in the newest timeline
	dead     map[wire.Replayed]bool  // by a dead letter; the only answer about a record that is no order
	torn     bool                    // one replay was made for two jobs
	trimmed  bool                    // the timeline has lost changes
}

// fullTimeline is the length at which a timeline loses changes.
const fullTimeline = 50

// of returns what is known about the replays of the order at an offset.
func (t *table) of(offset int64) *replays {
	if t.replays[offset] == nil {
		t.replays[offset] = &replays{asked: map[wire.Replayed]int64{}, answered: map[wire.Replayed]bool{}, dead: map[wire.Replayed]bool{}}
	}
	return t.replays[offset]
}

// ask adds a record of the topic for replays, if a job asks for a replay. Dry runs change nothing.
func (t *table) ask(r *kgo.Record) error {
	if kind := wire.Type(r); kind == wire.TypeCancel || kind == wire.TypePayment || wire.IsDryRun(r) {
		return nil
	}
	q, err := wire.ReadReplayRequest(r)
	if err != nil || q.Job == "" {
		return newer(err)
	}
	of, key := t.of(q.Origin.Offset), wire.Replayed{Number: q.Number, Job: q.Job}
	if at, asked := of.asked[key]; asked && at != r.Offset {
		of.twice = true
	}
	of.asked[key] = r.Offset
	return nil
}

// answer notes the answers in a timeline.
func (t *table) answer(offset int64, trail wire.Trail) {
	if t.replays[offset] == nil && len(trail.Replays) == 0 && trail.Changes < fullTimeline {
		return
	}
	of := t.of(offset)
	clear(of.answered)
	of.trimmed, of.torn = trail.Changes >= fullTimeline, trail.Torn
	for _, r := range trail.Replays {
		of.answered[r] = true
	}
}

// failedAgain notes a dead letter that is the answer to a job.
func (t *table) failedAgain(l *dlq.DeadLetter) {
	if l.Job != "" {
		t.of(l.Origin.Offset).dead[wire.Replayed{Number: l.Replays, Job: l.Job}] = true
	}
}

// promised compares the replays that jobs asked for with the answers. Each request that is committed has
// one, and each answer has a request: the ends of the topics are measured in that order.
func (j *judgement) promised(offset int64, e *entry) (wrong kinds) {
	of := j.replays[offset]
	if of == nil || j.erased[e.key] || of.trimmed {
		return 0
	}
	if of.twice || of.torn {
		wrong |= replayTwice
	}
	for key, at := range of.asked {
		if at < j.replayed && !of.answered[key] && !of.dead[key] {
			wrong |= unanswered
		}
	}
	for key := range of.answered {
		if _, asked := of.asked[key]; !asked && j.replaysFrom == 0 {
			wrong |= unasked
		}
	}
	return wrong
}
