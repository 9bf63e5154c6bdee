package group

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// locator finds where partitions are read from, and what is lost there.
type locator struct{ *core }

// answer is where a partition number is read from: the positions of sources, and then the one in
// orders.status up to which its last owner had read when it committed, if there was one.
type answer struct {
	found []position
	err   error
}

// question is asked for several partition numbers together.
type question struct {
	answers  map[int32]answer
	answered chan struct{} // closed when answers are there
}

// together asks for partition numbers that were assigned at once.
func (l locator) together(ctx context.Context, numbers []int32) *question {
	q := &question{answered: make(chan struct{})}
	l.tasks.Go(func() {
		defer close(q.answered)
		q.answers = l.ask(ctx, numbers...)
	})
	return q
}

// of waits for the answer for one of the numbers.
func (q *question) of(ctx context.Context, number int32) answer {
	select {
	case <-q.answered:
		return q.answers[number]
	case <-ctx.Done():
		return answer{err: context.Cause(ctx)}
	}
}

// positions finds where a partition number is read from in all topics: by the question that was asked
// for several together first, then alone. It blocks while Kafka is away, or one of its leaders.
func (l locator) positions(ctx context.Context, number int32, first *question) (found []position, err error) {
	ask := first.of
	err = l.insist(ctx, "positions", number, func() error {
		a := ask(ctx, number)
		ask = func(ctx context.Context, number int32) answer { return l.ask(ctx, number)[number] }
		found, err = a.found, a.err
		return err
	})
	return found, err
}

// ask asks where partition numbers are read from. A leader that does not answer is an error of its numbers alone.
func (l locator) ask(ctx context.Context, numbers ...int32) map[int32]answer {
	commits, err := l.commits(ctx, numbers)
	logs, answers := l.logs(ctx, commits), map[int32]answer{}
	for _, number := range numbers {
		status, failed := logs.position(kafka.Partition{Topic: l.cfg.Topics.Status, Number: number})
		a := answer{err: cmp.Or(err, failed)}
		for _, part := range l.parts(number) {
			p, err := logs.position(part)
			p.signed(commits[part], status.end)
			a.found, a.err = append(a.found, p), cmp.Or(a.err, err)
		}
		if status.committed {
			status.start = 0 // compaction removes only records that no reader needs
			a.found = append(a.found, status)
		}
		answers[number] = a
	}
	return answers
}

// commits asks what the group has committed for partition numbers of sources, and how far orders.status was read then.
func (l locator) commits(ctx context.Context, numbers []int32) (map[kafka.Partition]kafka.Commit, error) {
	var parts []kafka.Partition
	for _, number := range numbers {
		parts = append(parts, l.parts(number)...)
	}
	commits, err := kafka.Commits(ctx, l.side.Client, l.cfg.Group, parts...)
	if err != nil {
		return nil, fmt.Errorf("asking what group %q has committed: %w", l.cfg.Group, err)
	}
	tails := map[kafka.Partition]kafka.Commit{}
	for p, commit := range commits {
		if p.Topic != l.cfg.Topics.Orders {
			continue
		}
		at := kafka.Offset{At: unknown}
		if tail, _, ours := signer(commit); ours {
			at = kafka.Offset{At: tail.Offset, Epoch: tail.Epoch}
		}
		tails[kafka.Partition{Topic: l.cfg.Topics.Status, Number: p.Number}] = kafka.Commit{Offset: at}
	}
	maps.Copy(commits, tails)
	return commits, nil
}

// logs is what the leaders say of the logs to which committed offsets belong.
type logs struct{ commits, starts, ends, cuts kafka.Offsets }

func (l locator) logs(ctx context.Context, commits map[kafka.Partition]kafka.Commit) logs {
	found := logs{commits: kafka.Offsets{}}
	var parts []kafka.Partition
	epochs := map[kafka.Partition]int32{}
	for p, commit := range commits {
		parts, found.commits[p] = append(parts, p), commit.Offset
		if commit.At > 0 && commit.Epoch >= 0 {
			epochs[p] = commit.Epoch
		}
	}
	var all sync.WaitGroup // concurrently: until all is known, the partitions are not worked on
	all.Go(func() { found.starts = kafka.Starts(ctx, l.side.Client, parts...) })
	all.Go(func() { found.ends = kafka.Ends(ctx, l.side.Client, parts...) })
	all.Go(func() { found.cuts = kafka.EpochEnds(ctx, l.side.Client, epochs) })
	all.Wait()
	return found
}

// position is where a topic's partition is read from, by what is committed of it.
func (l logs) position(part kafka.Partition) (position, error) {
	start, end, commit := l.starts[part], l.ends[part], l.commits[part]
	cut, known := l.cuts[part]
	if err := cmp.Or(commit.Err, start.Err, end.Err, cut.Err); err != nil {
		return position{}, fmt.Errorf("%s/%d: %w", part.Topic, part.Number, err)
	}
	p := position{
		topic: part.Topic, next: kgo.EpochOffset{Epoch: commit.Epoch, Offset: commit.At}, committed: commit.At >= 0,
		start: start.At, end: end.At, cut: unknown,
	}
	if known && cut.At >= 0 {
		p.cut = cut.At
	}
	if !p.committed {
		p.next.Offset = p.start
	}
	return p, nil
}

// check logs what is lost, and returns the first loss unless the operator accepts it: then the
// positions are behind the loss, and the ledger tells what was finished.
func (l locator) check(ctx context.Context, number int32, found []position) error {
	var first error
	for i := range found {
		p := &found[i]
		where := []slog.Attr{slog.String(telemetry.Topic, p.topic), slog.Int(telemetry.Partition, int(number))}
		if p.foreign {
			l.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "offset committed by another client or set by a tool: reading again from the start",
				append(where, slog.Int64(telemetry.From, p.next.Offset), slog.Int64(telemetry.To, p.passed))...)
		}
		if (!p.committed || p.foreign) && p.start > 0 {
			// Retention may have deleted only records that an earlier group, or this one until its offsets expired, had
			// finished. That cannot be checked, and to block would stop a shop that has done nothing wrong.
			l.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "nothing committed, and the log does not begin at 0: orders before may be lost",
				append(where, slog.Int64(telemetry.Offset, p.start))...)
		}
		lost := p.lost(number)
		if lost == nil {
			continue
		}
		if l.accept(ctx, lost) {
			p.restart(p.behind())
		} else {
			first = cmp.Or(first, error(lost))
		}
	}
	return first
}

// accept logs a loss, and reports whether the operator accepts it.
func (l locator) accept(ctx context.Context, lost *loss) bool {
	l.cfg.Meter.Lost(lost.to - lost.from)
	text, level := "records lost: partition refused without --accept-loss", slog.LevelError
	if l.cfg.AcceptLoss {
		text, level = "records lost and accepted", slog.LevelWarn
	}
	l.cfg.Log.LogAttrs(ctx, level, text, slog.String(telemetry.Topic, lost.topic), slog.Int(telemetry.Partition, int(lost.number)),
		slog.Int64(telemetry.From, lost.from), slog.Int64(telemetry.To, lost.to), slog.Int64(telemetry.Count, lost.to-lost.from))
	return l.cfg.AcceptLoss
}
