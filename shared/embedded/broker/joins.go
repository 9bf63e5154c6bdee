package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// heartbeatEvery is the interval of heartbeats for waiting members. kfake allows sessions of 6 s
// and more.
const heartbeatEvery = time.Second

// initialDelay is for how long the first join of a group waits for others. In Apache Kafka it is
// the setting group.initial.rebalance.delay.ms, 3 s by default.
const initialDelay = 100 * time.Millisecond

// joins is a listener that tracks the members of groups that wait for the answer to a JoinGroup or
// SyncGroup request.
//
// In Apache Kafka, the session of a member begins with the answer. kfake differs in two ways. The
// session continues while the member waits, and when it times out, kfake drops the request without
// an answer. A member that is killed during its first join has no session, so its partitions stay
// assigned until another event rebalances the group. Heartbeats in the name of the member repair
// both: one a second while it waits, and one after its connection was closed before the answer.
//
// kfake also begins a group with its first member, and members that join a moment later cost two
// rebalances. So the first joins of a group are held, and no member synchronizes before kfake has
// taken up all of them: see hold and awaitFirst.
type joins struct {
	net.Listener
	first   int // how many members a group begins with at once; 0: no number of members is enough
	mu      sync.Mutex
	members []*member
	groups  map[string]*beginning // by ID
}

// beginning is the first joins of a group.
type beginning struct {
	members map[string]bool // by ID; nil when they are released
	release chan struct{}   // closed then
	passing sync.WaitGroup  // the held joins that kfake has not taken up
}

// member is a member of a group that waits for an answer.
type member struct {
	group, id   string
	correlation uint32 // of its request
	conn        *watchedConn
	gone        bool // the connection is closed
}

// Accept returns the next connection and watches its requests.
func (j *joins) Accept() (net.Conn, error) {
	c, err := j.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: c, joins: j}, nil
}

// sendHeartbeats sends heartbeats for waiting members until stop is called. The caller calls stop
// before it closes the cluster.
func (j *joins) sendHeartbeats(cluster *kfake.Cluster, opts ...kgo.Opt) (stop func(), err error) {
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(cluster.ListenAddrs()...))...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.Tick(heartbeatEvery); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick:
				j.beat(ctx, cluster.GroupInfo, cl.SeedBrokers()[0])
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		cl.Close()
	}, nil
}

// beat sends a heartbeat for each waiting member.
func (j *joins) beat(ctx context.Context, info func(group string) *kfake.GroupInfo, broker kmsg.Requestor) {
	for _, m := range j.list() {
		if ctx.Err() == nil && heartbeat(ctx, info(m.group), m, broker) && m.gone {
			j.forget(m.conn, m.correlation)
		}
	}
}

// heartbeat renews the session of a member. It returns false if it must be repeated.
func heartbeat(ctx context.Context, group *kfake.GroupInfo, m member, broker kmsg.Requestor) bool {
	if group == nil {
		return true
	}
	req := kmsg.NewHeartbeatRequest()
	req.Group, req.Generation, req.MemberID = m.group, group.Epoch, m.id
	resp, err := req.RequestWith(ctx, broker)
	// The group may have a new generation since info was called.
	return err == nil && !errors.Is(kerr.ErrorForCode(resp.ErrorCode), kerr.IllegalGeneration)
}

// list returns the waiting members.
func (j *joins) list() []member {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []member
	for _, m := range j.members {
		all = append(all, *m)
	}
	return all
}

// hold blocks while the join of a member is held. All joins that come within initialDelay of the
// group's first since the broker was started are released together, and at once when they are as many
// as the group begins with.
func (j *joins) hold(c *watchedConn, m *member) {
	j.mu.Lock()
	b := j.groups[m.group]
	if b == nil {
		b = &beginning{members: map[string]bool{}, release: make(chan struct{})}
		j.groups[m.group] = b
		time.AfterFunc(initialDelay, func() { j.release(b) })
	}
	if b.members != nil {
		b.members[m.id] = true
		b.passing.Add(1)
		c.held = b
	}
	all := len(b.members) == j.first
	j.mu.Unlock()
	if all {
		j.release(b)
	}
	<-b.release
}

// awaitFirst blocks until kfake has taken up the joins of a group that were released together.
func (j *joins) awaitFirst(group string) {
	j.mu.Lock()
	b := j.groups[group]
	j.mu.Unlock()
	if b != nil {
		<-b.release
		b.passing.Wait()
	}
}

// passed notes that kfake has taken up the join that was held on a connection, or never will.
func (j *joins) passed(c *watchedConn) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if c.held != nil {
		c.held.passing.Done()
		c.held = nil
	}
}

func (j *joins) release(b *beginning) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if b.members != nil {
		b.members = nil
		close(b.release)
	}
}

func (j *joins) add(m *member) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.members = append(j.members, m)
}

// forget removes the member that waits for the answer to a request.
func (j *joins) forget(c *watchedConn, correlation uint32) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.members = slices.DeleteFunc(j.members, func(m *member) bool { return m.conn == c && m.correlation == correlation })
}

// leave marks the members that wait for an answer over a connection that was closed.
func (j *joins) leave(c *watchedConn) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, m := range j.members {
		m.gone = m.gone || m.conn == c
	}
}

// watchedConn is a connection that finds JoinGroup and SyncGroup requests.
type watchedConn struct {
	net.Conn
	joins *joins
	begun bytes.Reader // bytes of the request that were read ahead
	rest  int64        // number of bytes of the request that were not
	held  *beginning   // of the held join that kfake has not taken up, or nil
}

// Read reads the head of each request ahead, and the whole request if it is a join. kfake calls it
// from one goroutine at a time.
func (c *watchedConn) Read(p []byte) (int, error) {
	if c.begun.Len() == 0 && c.rest == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if c.begun.Len() > 0 {
		return c.begun.Read(p)
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.rest)])
	c.rest -= int64(n)
	return n, err
}

// Write is called with one whole answer.
func (c *watchedConn) Write(p []byte) (int, error) {
	const size = 4 // bytes; the correlation ID comes next
	c.joins.forget(c, binary.BigEndian.Uint32(p[size:]))
	return c.Conn.Write(p)
}

// Close marks the members that wait for an answer over this connection.
func (c *watchedConn) Close() error {
	c.joins.passed(c)
	c.joins.leave(c)
	return c.Conn.Close()
}

// next reads the head of the next request, or the whole request if it is a join. kfake calls it after
// it has taken up the last request.
func (c *watchedConn) next() error {
	c.joins.passed(c)
	const size, head = 4, 8 // bytes; the head is key, version and correlation ID
	var b bytes.Buffer
	if _, err := io.CopyN(&b, c.Conn, size+head); err != nil {
		return err
	}
	c.rest = int64(binary.BigEndian.Uint32(b.Bytes())) - head
	if c.rest < 0 {
		return io.ErrUnexpectedEOF
	}
	switch key := kmsg.Key(binary.BigEndian.Uint16(b.Bytes()[size:])); key {
	case kmsg.JoinGroup, kmsg.SyncGroup:
		if _, err := io.CopyN(&b, c.Conn, c.rest); err != nil {
			return err
		}
		c.rest = 0
		if m := joining(b.Bytes()[size:]); m != nil {
			if key == kmsg.JoinGroup {
				c.joins.hold(c, m)
			} else {
				c.joins.awaitFirst(m.group)
			}
			m.conn = c
			c.joins.add(m)
		}
	}
	c.begun.Reset(b.Bytes())
	return nil
}

// joining returns the member that sent a JoinGroup or SyncGroup request. It returns nil for a
// member without an ID, which is answered at once.
func joining(request []byte) *member {
	r := kbin.Reader{Src: request}
	req := kmsg.RequestForKey(r.Int16())
	req.SetVersion(r.Int16())
	m := &member{correlation: uint32(r.Int32())}
	r.NullableString() // client ID
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if err := req.ReadFrom(r.Src); err != nil {
		return nil
	}
	switch req := req.(type) {
	case *kmsg.JoinGroupRequest:
		m.group, m.id = req.Group, req.MemberID
	case *kmsg.SyncGroupRequest:
		m.group, m.id = req.Group, req.MemberID
	}
	if m.id == "" {
		return nil
	}
	return m
}
