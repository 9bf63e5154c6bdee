package group

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// locator finds where partitions are read from, and what is lost there.
type locator struct{ *core }

// positions finds where a partition number is read from: the positions of sources, and then the one in
// orders.status up to which its last owner had read when it committed, if there was one. It blocks while
// Kafka is away, or one of the leaders.
func (l locator) positions(ctx context.Context, number int32) (found []position, err error) {
	err = l.insist(ctx, "positions", number, func() error {
		found, err = l.ask(ctx, number)
		return err
	})
	return found, err
}

func (l locator) ask(ctx context.Context, number int32) (found []position, err error) {
	commits, err := l.commits(ctx, number)
	if err != nil {
		return nil, fmt.Errorf("asking what group %q has committed: %w", l.cfg.Group, err)
	}
	logs := l.logs(ctx, commits)
	status, err := logs.position(kafka.Partition{Topic: l.cfg.Topics.Status, Number: number})
	if err != nil {
		return nil, err
	}
	for _, part := range l.parts(number) {
		p, err := logs.position(part)
		if err != nil {
			return nil, err
		}
		p.signed(commits[part], status.end)
		found = append(found, p)
	}
	if status.committed {
		status.start = 0 // compaction removes only records that no reader needs
		found = append(found, status)
	}
	return found, nil
}

// commits asks what the group has committed for a partition number of sources, and how far orders.status was read then.
func (l locator) commits(ctx context.Context, number int32) (map[kafka.Partition]kafka.Commit, error) {
	commits, err := kafka.Commits(ctx, l.side.Client, l.cfg.Group, l.parts(number)...)
	if err != nil {
		return nil, err
	}
	read := kafka.Offset{At: unknown}
	if tail, _, ours := signer(commits[kafka.Partition{Topic: l.cfg.Topics.Orders, Number: number}]); ours {
		read = kafka.Offset{At: tail.Offset, Epoch: tail.Epoch}
	}
	commits[kafka.Partition{Topic: l.cfg.Topics.Status, Number: number}] = kafka.Commit{Offset: read}
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
