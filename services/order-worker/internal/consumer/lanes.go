package consumer

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-worker/internal/ledger"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// errHeld is how a record's work says that nothing of its partition may be begun any more.
var errHeld = errors.New("held")

// lanes works on the records of all owned partitions: many at once, but one after the other where they have the same
// key, in turn between partitions, and never more than limit.
type lanes struct {
	limit int
	log   *slog.Logger
	// fetch pauses (true) and resumes the fetching of one topic's partition, and seek says where it goes on. They are
	// called with mu held, so that a resume never overtakes the pause before it.
	fetch func(topic string, partition int32, paused bool)
	seek  func(topic string, partition int32, at kgo.EpochOffset)
	// thirst asks for a call of refill, soon. It is called with mu held.
	thirst func()

	mu      sync.Mutex
	owned   []*partition // in turn: the first is asked first
	inHand  int
	room    room        // for orders that need a dependency which is down
	alarm   *time.Timer // for the next record that is due; or nil
	blocked error       // why nothing of any partition may be begun any more; or nil
	wg      sync.WaitGroup
}

// add begins to accept the records of a partition, in place of one of the same number that was blocked.
func (l *lanes) add(p *partition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if blocked := l.find(p.number); blocked != nil {
		l.delete(blocked)
	}
	p.removed, p.moved = make(chan struct{}), make(chan struct{})
	l.owned = append(l.owned, p)
	if p.held == nil {
		p.held = l.blocked
	}
	for _, s := range p.sources {
		l.fetch(s.topic, p.number, false)
	}
	l.begin()
}

// hold begins nothing of a partition any more, and has nothing of it fetched. What is in hand goes on.
func (l *lanes) hold(number int32, reason error) { l.block(number, "", reason) }

// block is hold, and has nothing of one topic fetched even if that is the tail. It reports whether the partition was not held yet.
func (l *lanes) block(number int32, topic string, reason error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.find(number)
	if p == nil {
		return false
	}
	first := p.held == nil
	if first {
		p.held = reason
	}
	for _, s := range p.sources {
		s.blocked = s.blocked || s.topic == topic
	}
	l.begin()
	return first
}

// held is why nothing of an owned partition is begun, or nil.
func (l *lanes) held(number int32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.find(number); p != nil && p.idle == nil {
		return p.held
	}
	return nil
}

// place is a topic's partition.
type place struct {
	topic  string
	number int32
}

// reading is where those sources stand that are being fetched.
func (l *lanes) reading() map[place]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[place]int64{}
	for _, p := range l.owned {
		for _, s := range p.sources {
			if p.begins() && !s.paused && !s.cut {
				all[place{s.topic, p.number}] = s.next
			}
		}
	}
	return all
}

// jump has a source that stands at an offset fetched from another one on.
func (l *lanes) jump(topic string, number int32, at, next int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.find(number); p != nil {
		for _, s := range p.sources {
			if s.topic == topic && s.next == at {
				s.next, s.epoch = next, unknown
				l.seek(topic, number, kgo.EpochOffset{Epoch: unknown, Offset: next})
			}
		}
	}
}

// blockAll is hold for all partitions, those included that are added later.
func (l *lanes) blockAll(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.blocked != nil {
		return
	}
	l.blocked = reason
	for _, p := range l.owned {
		if p.held == nil {
			p.held = reason
		}
	}
	l.begin()
}

func (l *lanes) blockedBy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.blocked
}

// reached is the offset of the first record of a topic's partition that is to be fetched, with the epoch of the one before
// it; false means that none is.
func (l *lanes) reached(topic string, number int32) (kgo.EpochOffset, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.find(number)
	if p == nil || !p.begins() {
		return kgo.EpochOffset{}, false
	}
	for _, s := range p.sources {
		if s.topic == topic {
			return kgo.EpochOffset{Epoch: s.epoch, Offset: s.next}, true
		}
	}
	return kgo.EpochOffset{}, false
}

// offer hands over fetched records of one topic's partition, in order. Those of a partition that is not owned, or
// about to go, are dropped: its next owner fetches them again.
func (l *lanes) offer(topic string, number int32, records []*kgo.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.find(number)
	if p == nil || p.idle != nil {
		return
	}
	for _, s := range p.sources {
		if s.topic == topic {
			s.put(records)
		}
	}
	l.begin()
}

// appended hears that a worker of ours has appended a record that carries an order. While its source is cut nothing is
// fetched, and it would seem to have come later than it did.
func (l *lanes) appended(topic string, number int32, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.find(number)
	if p == nil {
		return
	}
	for _, s := range p.sources {
		if s.topic == topic {
			s.arrivals.note(offset, time.Now())
		}
	}
}

// refill fetches again what cut sources have dropped and now need. It is called between two polls, so that nothing that was
// polled before is on its way to offer any more, which would come out of order.
func (l *lanes) refill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.owned {
		for _, s := range p.sources {
			if p.begins() && s.cut && s.thirsty(time.Now()) {
				s.cut, s.paused = false, false
				l.seek(s.topic, p.number, kgo.EpochOffset{Epoch: s.epoch, Offset: s.next})
				l.fetch(s.topic, p.number, false)
			}
		}
	}
}

// begin starts as much work as there are free slots, one record of each partition in turn. While several partitions
// are owned, one takes at most half of the slots. What is left over decides whether fetching goes on, and when to look again.
func (l *lanes) begin() {
	l.room.look()
	for i := 0; i < len(l.owned) && l.inHand < l.limit; {
		p := l.owned[0]
		l.owned = append(l.owned[1:], p)
		r, ok := record{}, false
		if len(p.inHand) < l.share() {
			r, ok = p.next()
		}
		if !ok {
			i++
			continue
		}
		i = 0
		l.inHand++
		p.inHand[r] = time.Now()
		if room := r.from.room; room != nil {
			room.inHand++
		}
		l.wg.Go(func() { l.finish(p, r, p.work(r.Record)) })
	}
	l.regulate()
	l.setAlarm()
}

// regulate pauses, resumes and cuts sources by what they hold.
func (l *lanes) regulate() {
	for _, p := range l.owned {
		now := time.Now()
		for _, s := range p.sources {
			if _, shut := s.shut(now); shut {
				s.trim()
			}
			if s.cut && p.begins() && s.thirsty(now) {
				l.thirst()
			}
			if paused := p.held != nil && !s.tail || s.blocked || s.cut || !s.tail && (s.full() || s.paused && !s.low()); paused != s.paused {
				s.paused = paused
				l.fetch(s.topic, p.number, paused)
			}
		}
	}
}

// setAlarm sets the one timer to the moment at which the first shut gate may open by itself.
func (l *lanes) setAlarm() {
	var first time.Duration
	for _, p := range l.owned {
		for _, s := range p.sources {
			if again, shut := s.shut(time.Now()); shut && again > 0 && p.begins() && (first == 0 || again < first) {
				first = again
			}
		}
	}
	if l.alarm != nil {
		l.alarm.Stop()
	}
	if first > 0 {
		l.alarm = time.AfterFunc(first, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.begin()
		})
	}
}

func (l *lanes) share() int {
	if len(l.owned) == 1 {
		return l.limit
	}
	return max(1, l.limit/2)
}

func (l *lanes) finish(p *partition, r record, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inHand--
	if room := r.from.room; room != nil {
		room.inHand--
	}
	p.finish(r, err == nil)
	if errors.Is(err, errHeld) && p.held == nil {
		p.held = err
		text := "partition held: a record that this version cannot handle"
		if kafka.Classify(err) != kafka.Away {
			text = "partition blocked: Kafka does not give what an order needs"
		}
		l.log.Error(text,
			telemetry.Topic, r.Topic, telemetry.Partition, r.Partition, telemetry.Offset, r.Offset, telemetry.Error, err)
	}
	if p.idle != nil && len(p.inHand) == 0 {
		close(p.idle)
	}
	l.begin()
}

// drain stops beginning records of a partition, and returns it: its idle is closed when none is in hand. It returns
// nil if the partition is not owned.
func (l *lanes) drain(number int32) *partition {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.find(number)
	if p == nil {
		return nil
	}
	if p.idle == nil {
		p.idle = make(chan struct{})
		close(p.stopping)
		if len(p.inHand) == 0 {
			close(p.idle)
		}
	}
	return p
}

// remove forgets a partition and returns how many of its records were begun and not finished; false means that it was removed before.
func (l *lanes) remove(p *partition) (unfinished int, removed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.delete(p) {
		return 0, false
	}
	for _, s := range p.sources {
		unfinished += s.mark.unfinished()
	}
	return unfinished, true
}

func (l *lanes) delete(p *partition) bool {
	i := slices.Index(l.owned, p)
	if i < 0 {
		return false
	}
	l.owned = slices.Delete(slices.Clone(l.owned), i, i+1)
	close(p.removed)
	return true
}

// has reports whether a partition is owned: worked on, blocked or draining.
func (l *lanes) has(number int32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.find(number) != nil
}

// vacant waits until a partition that is still draining from its last assignment is removed, or returns the cause of the end of ctx.
func (l *lanes) vacant(ctx context.Context, number int32) error {
	l.mu.Lock()
	p := l.find(number)
	l.mu.Unlock()
	if p == nil {
		return nil
	}
	select {
	case <-p.removed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ledger is that of an owned partition, or nil.
func (l *lanes) ledger(number int32) *ledger.Ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.find(number); p != nil {
		return p.ledger
	}
	return nil
}

// numbers are the owned partition numbers.
func (l *lanes) numbers() []int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var numbers []int32
	for _, p := range l.owned {
		numbers = append(numbers, p.number)
	}
	return numbers
}

// committable is what may be committed for all owned partitions, over all their topics, and what goes into the metadata by
// partition number.
func (l *lanes) committable() (map[string]map[int32]kgo.EpochOffset, map[int32]stamp) {
	l.mu.Lock()
	defer l.mu.Unlock()
	offsets, stamps := map[string]map[int32]kgo.EpochOffset{}, map[int32]stamp{}
	for _, p := range l.owned {
		st := stamp{repeat: p.repeat, blocked: p.held != nil}
		if p.ledger != nil {
			st.since = p.ledger.Since
		}
		for _, s := range p.sources {
			if s.tail {
				st.tail = kgo.EpochOffset{Epoch: s.epoch, Offset: s.next}
				continue
			}
			at, ok := s.mark.committable()
			if !ok {
				continue
			}
			if offsets[s.topic] == nil {
				offsets[s.topic] = map[int32]kgo.EpochOffset{}
			}
			offsets[s.topic][p.number] = at
		}
		stamps[p.number] = st
	}
	return offsets, stamps
}

// moments are the ledgers of the partitions that are worked on, each with the present moment.
func (l *lanes) moments() map[int32]moment {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[int32]moment{}
	for _, p := range l.owned {
		if p.ledger != nil && p.begins() {
			all[p.number] = moment{p.ledger, p.ledger.Moment()}
		}
	}
	return all
}

// moment is what the ledger of a partition knew at a time.
type moment struct {
	ledger *ledger.Ledger
	at     ledger.Moment
}

// blockedNumbers are the owned partition numbers of which nothing is begun until somebody acts.
func (l *lanes) blockedNumbers() map[int32]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[int32]bool{}
	for _, p := range l.owned {
		if p.held != nil {
			all[p.number] = true
		}
	}
	return all
}

// observed notes how far orders.status is read of a partition number.
func (l *lanes) observed(number int32, last *kgo.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.find(number)
	if p == nil {
		return
	}
	for _, s := range p.sources {
		if s.tail {
			s.next, s.epoch = last.Offset+1, last.LeaderEpoch
		}
	}
	close(p.moved)
	p.moved = make(chan struct{})
}

func (l *lanes) find(number int32) *partition {
	for _, p := range l.owned {
		if p.number == number {
			return p
		}
	}
	return nil
}
