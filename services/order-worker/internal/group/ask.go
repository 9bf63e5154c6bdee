package group

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"sync"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/kafka"
)

// sources are the topics that orders come from.
func (c *Member) sources() []string {
	t := c.cfg.Topics
	return []string{t.Orders, t.Retry10s, t.Retry2m, t.Waiting, t.Replay}
}

// answer is where a partition number is read on: the positions of sources, and then that in orders.status up to which its last
// owner had read when it committed, if there was one.
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
func (c *Member) together(ctx context.Context, numbers []int32) *question {
	q := &question{answered: make(chan struct{})}
	c.takings.Go(func() {
		defer close(q.answered)
		q.answers = c.ask(ctx, numbers...)
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

// positions asks where a partition number is read on in all topics: what was asked for together with others first, then alone. It
// blocks while Kafka is away, or one of its leaders.
func (c *Member) positions(ctx context.Context, number int32, first *question) (found []position, err error) {
	ask := first.of
	err = c.insist(ctx, "positions", number, func() error {
		a := ask(ctx, number)
		ask = func(ctx context.Context, number int32) answer { return c.ask(ctx, number)[number] }
		found, err = a.found, a.err
		return err
	})
	return found, err
}

// ask asks where partition numbers are read on. A leader that does not answer is an error of its numbers alone.
func (c *Member) ask(ctx context.Context, numbers ...int32) map[int32]answer {
	commits, err := c.commitsOf(ctx, numbers)
	logs, answers := c.logs(ctx, commits), map[int32]answer{}
	for _, number := range numbers {
		status, failed := logs.position(kafka.Partition{Topic: c.cfg.Topics.Status, Number: number})
		a := answer{err: cmp.Or(err, failed)}
		for _, topic := range c.sources() {
			part := kafka.Partition{Topic: topic, Number: number}
			p, err := logs.position(part)
			p.signed(commits[part], status.end)
			a.found, a.err = append(a.found, p), cmp.Or(a.err, err)
		}
		if status.committed {
			status.start = 0 // compaction removes what no reader needs
			a.found = append(a.found, status)
		}
		answers[number] = a
	}
	return answers
}

// signed takes over what an order worker wrote into the metadata of a commit. An offset without that is another client's: the
// position is the start of the log. Status is the end of orders.status.
func (p *position) signed(commit kafka.Commit, status int64) {
	_, since, ours := signer(commit)
	switch {
	case ours:
		p.metadata, p.since = commit.Metadata, since
	case p.committed:
		p.metadata, p.foreign, p.passed, p.at, p.cut, p.epoch = commit.Metadata, true, commit.At, p.start, unknown, unknown
		p.since = ledger.Mark{Offset: p.at}
	case p.at < p.end:
		p.since = ledger.Mark{Offset: p.at}
	default: // nothing stands there: what comes has its states behind the end
		p.since = ledger.Mark{Offset: p.at, Floor: status}
	}
}

// commitsOf asks what the group has committed for partition numbers of sources, and how far orders.status was read then.
func (c *Member) commitsOf(ctx context.Context, numbers []int32) (map[kafka.Partition]kafka.Commit, error) {
	var parts []kafka.Partition
	for _, number := range numbers {
		for _, topic := range c.sources() {
			parts = append(parts, kafka.Partition{Topic: topic, Number: number})
		}
	}
	commits, err := kafka.Commits(ctx, c.side.Client, c.cfg.Group, parts...)
	if err != nil {
		return nil, fmt.Errorf("asking what group %q has committed: %w", c.cfg.Group, err)
	}
	tails := map[kafka.Partition]kafka.Commit{}
	for p, commit := range commits {
		if p.Topic != c.cfg.Topics.Orders {
			continue
		}
		at := kafka.Offset{At: unknown}
		if tail, _, ours := signer(commit); ours {
			at = kafka.Offset{At: tail.Offset, Epoch: tail.Epoch}
		}
		tails[kafka.Partition{Topic: c.cfg.Topics.Status, Number: p.Number}] = kafka.Commit{Offset: at}
	}
	maps.Copy(commits, tails)
	return commits, nil
}

// logs is what the leaders say of the logs that committed offsets stand in.
type logs struct{ commits, starts, ends, cuts kafka.Offsets }

func (c *Member) logs(ctx context.Context, commits map[kafka.Partition]kafka.Commit) logs {
	l := logs{commits: kafka.Offsets{}}
	var parts []kafka.Partition
	epochs := map[kafka.Partition]int32{}
	for p, commit := range commits {
		parts, l.commits[p] = append(parts, p), commit.Offset
		if commit.At > 0 && commit.Epoch >= 0 {
			epochs[p] = commit.Epoch
		}
	}
	var all sync.WaitGroup // side by side: nobody works on the partitions until all is known
	all.Go(func() { l.starts = kafka.Starts(ctx, c.side.Client, parts...) })
	all.Go(func() { l.ends = kafka.Ends(ctx, c.side.Client, parts...) })
	all.Go(func() { l.cuts = kafka.EpochEnds(ctx, c.side.Client, epochs) })
	all.Wait()
	return l
}

// position is where a partition is read on by what is committed of it.
func (l logs) position(part kafka.Partition) (position, error) {
	start, end, commit := l.starts[part], l.ends[part], l.commits[part]
	cut, known := l.cuts[part]
	if err := cmp.Or(commit.Err, start.Err, end.Err, cut.Err); err != nil {
		return position{}, fmt.Errorf("%s/%d: %w", part.Topic, part.Number, err)
	}
	p := position{topic: part.Topic, at: commit.At, epoch: commit.Epoch, committed: commit.At >= 0, start: start.At, end: end.At, cut: unknown}
	if known && cut.At >= 0 {
		p.cut = cut.At
	}
	if !p.committed {
		p.at = p.start
	}
	return p, nil
}
