package audit_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/audit"
	"example.com/orders/shared/failure"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// ask is a job that asks for the next replay of a dead order.
func (c *clerk) ask(job string) *paper {
	p := c.fail(c.place(nil))
	p.job = job
	c.replay(p)
	return p
}

func TestReplaysOfJobsAreAnsweredOnce(t *testing.T) {
	t.Parallel()
	areNamed(t, []fault{
		{"a request without an answer", func(c *clerk) { c.ask("job_1") }, 0, []string{"unanswered 1-0 ord_1_1"}},
		{"the answer to another job", func(c *clerk) {
			p := c.ask("job_1")
			p.job = "job_2"
			c.confirm(p)
		}, 0, []string{"unanswered 1-0 ord_1_1", "unasked 1-0 ord_1_1"}},
		{"the answer to a job that asked for nothing", func(c *clerk) {
			p := c.fail(c.place(nil))
			p.job, p.replays = "job_1", 1
			c.confirm(p)
		}, 0, []string{"unasked 1-0 ord_1_1"}},
		{"an answer with another number", func(c *clerk) {
			p := c.ask("job_1")
			p.replays = 2
			c.confirm(p)
		}, 0, []string{"unanswered 1-0 ord_1_1", "unasked 1-0 ord_1_1"}},
		{"one request that is there twice", func(c *clerk) {
			p := c.ask("job_1")
			c.append(c.topics.Replay, 1, p.request().Record())
			c.confirm(p)
		}, 0, []string{"replay-twice 1-0 ord_1_1"}},
		{"one replay for two jobs", func(c *clerk) {
			p := c.ask("job_1")
			c.write(p, order.Working)
			p.job = "job_2"
			c.append(c.topics.Replay, 1, p.request().Record())
			c.keep(p, "%PDF")()
			c.write(p, order.Confirmed)
		}, 0, []string{"replay-twice 1-0 ord_1_1"}},
	})
}

func TestAnsweredReplaysOfJobsAreNoFault(t *testing.T) {
	t.Parallel()
	areNoFaults(t, []allowed{
		{"confirmed, failed again, and refused to a second job", func(c *clerk) {
			c.confirm(c.ask("job_1"))
			p := c.fail(c.ask("job_1"))
			p.job = "job_2"
			c.append(c.topics.Replay, 1, p.request().Record())
			kafkatest.Record(t, &p.State, order.Change{Rev: p.Rev + 1, At: clock, Status: order.Dead, Reason: order.Conflict, Replay: p.replays, Job: p.job})
			c.append(c.topics.Status, 1, wire.State(p.State, c.claims[len(c.claims)-1]))
		}, audit.Report{Orders: audit.Tally{Accepted: 2, Confirmed: 1, Dead: 1}}},
		{"a record that is no order", func(c *clerk) {
			p := c.poison("ord_1_1")
			c.deadLetter(p)
			c.void(p, failure.Undecodable)
			p.job = "job_1"
			c.replay(p)
			c.deadLetter(p)
		}, audit.Report{Orders: audit.Tally{Undecodable: 1}}},
		{"a dry run, which changes nothing", func(c *clerk) {
			p := c.fail(c.place(nil))
			p.job, p.replays = "job_1", 1
			q := p.request()
			q.DryRun = true
			c.append(c.topics.Replay, 1, q.Record())
		}, audit.Report{Orders: audit.Tally{Accepted: 1, Dead: 1}}},
		{"a timeline that has lost the answer", func(c *clerk) {
			p := c.ask("job_1")
			p.job = ""
			for range 60 {
				c.replay(p)
				c.fail(p)
			}
		}, audit.Report{Orders: audit.Tally{Accepted: 1, Dead: 1}}},
		{"an erased order", func(c *clerk) {
			p := c.ask("job_1")
			c.append(c.topics.Status, 1, &kgo.Record{Key: p.key})
		}, audit.Report{Orders: audit.Tally{Accepted: 1, Erased: 1}}},
	})
}
