package broker_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/embedded/broker"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/topic"
)

// outside starts a broker in another process, which a request may crash.
func outside(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])
	cmd.Env = append(os.Environ(), "BROKER_TEST_DIR="+t.TempDir())
	cmd.Stderr = t.Output()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			_ = cmd.Process.Signal(syscall.SIGQUIT) // shows where it hangs
			_ = cmd.Wait()
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // its error is the kill
	})
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(addr)
}

// send sends bytes over a new connection, and returns the response until the connection is closed
// or the time is over.
func send(t *testing.T, addr string, frame []byte, within time.Duration) ([]byte, error) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Errorf("after the broker has died: %v", err)
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	if _, err := c.Write(frame); err != nil {
		return nil, err
	}
	return io.ReadAll(c)
}

// alive fails the test if the broker does not answer. The answer comes after those to all earlier requests.
func alive(t *testing.T, addr string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RequestTimeoutOverhead(patience))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.Ping(t.Context()); err != nil {
		t.Fatalf("the broker does not answer any more: %v", err)
	}
}

func TestInvalidRequestsCloseOnlyTheirConnection(t *testing.T) {
	t.Parallel()
	addr := outside(t)
	if _, err := kafka.Create(t.Context(), connect(t, addr), topic.Names("orders"), 1, 0); err != nil {
		t.Fatal(err)
	}
	for name, frame := range map[string]string{
		"a key that does not exist":      "\x00\x00\x00\x0a\x03\xe7\x00\x00\x00\x00\x00\x01\xff\xff",
		"a negative key":                 "\x00\x00\x00\x0a\xff\xff\x00\x00\x00\x00\x00\x01\xff\xff",
		"a version that does not exist":  "\x00\x00\x00\x0a\x00\x03\x03\xe7\x00\x00\x00\x01\xff\xff",
		"a negative version":             "\x00\x00\x00\x0a\x00\x03\xff\xff\x00\x00\x00\x01\xff\xff",
		"nothing":                        "\x00\x00\x00\x00",
		"half a head":                    "\x00\x00\x00\x04\x00\x03\x00\x00",
		"a client ID that is cut off":    "\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\x7f\xff",
		"HTTP":                           "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"TLS":                            "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"a negative size":                "\xff\xff\xff\xff",
		"a size beyond what is produced": "\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
		"a size beyond other requests":   "\x01\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x01",
		"topics that do not come":        "\x00\x00\x00\x0e\x00\x03\x00\x00\x00\x00\x00\x01\xff\xff\x7f\xff\xff\xff",
	} {
		if answer, err := send(t, addr, []byte(frame), time.Minute); errors.Is(err, os.ErrDeadlineExceeded) || len(answer) > 0 {
			t.Errorf("%s: got %q, %v; want the connection closed", name, answer, err)
		}
	}
	alive(t, addr)
}

func TestAnnouncedSizeIsNotAllocated(t *testing.T) {
	b := start(t, "")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	// Announce a produce request of 32 MiB and send nothing. 100 of these would allocate 3 GB.
	conns := make([]net.Conn, 100)
	for i := range conns {
		c, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("\x02\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x01\xff\xff")); err != nil {
			t.Fatal(err)
		}
		conns[i] = c
	}
	if _, err := kafka.Create(t.Context(), connect(t, b.Addr()), topic.Names("orders"), 1, 0); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 1_000 {
		t.Errorf("took %d MiB for requests of which nothing came", took)
	}
}

// TestHostileRequestsDoNotEndTheProcess sends well-formed requests with random values, some of them
// with a changed byte.
func TestHostileRequestsDoNotEndTheProcess(t *testing.T) {
	t.Parallel()
	addr := outside(t)
	if _, err := kafka.Create(t.Context(), connect(t, addr), topic.Names("orders"), 1, 0); err != nil {
		t.Fatal(err)
	}
	id := [16]byte(kafkaTopic(t, addr).ID)
	var all sync.WaitGroup
	for seed := range uint64(64) {
		r := stranger{rand.New(rand.NewPCG(seed, 0)), id}
		all.Go(func() {
			for range 80 {
				// Some are answered, some close the connection, some time out.
				_, _ = send(t, addr, r.request(), 30*time.Millisecond)
			}
		})
	}
	all.Wait()
	alive(t, addr)
}

// kafkaTopic returns the details of topic orders.
func kafkaTopic(t *testing.T, addr string) kadm.TopicDetail {
	t.Helper()
	found, err := kadm.NewClient(connect(t, addr)).ListTopics(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	return found["orders"]
}

// stranger creates requests with random values.
type stranger struct {
	*rand.Rand
	id [16]byte // of a topic
}

// request creates a request of any kind but DeleteTopics, so that the topics remain.
func (s stranger) request() []byte {
	var req kmsg.Request
	for req == nil || req.Key() == int16(kmsg.DeleteTopics) {
		req = kmsg.RequestForKey(int16(s.IntN(int(kmsg.MaxKey) + 1)))
	}
	version := int16(s.IntN(int(req.MaxVersion()) + 1))
	s.fill(reflect.ValueOf(req).Elem())
	req.SetVersion(version)
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("stranger")).AppendRequest(nil, req, 1)
	if s.IntN(4) == 0 {
		frame[4+s.IntN(len(frame)-4)] ^= byte(1 << s.IntN(8))
	}
	return frame
}

// fill sets all fields to random values.
func (s stranger) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() && v.Field(i).Type() != reflect.TypeFor[kmsg.Tags]() {
				s.fill(v.Field(i))
			}
		}
	case reflect.Pointer:
		if s.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			s.fill(v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(s.bytes())
			return
		}
		n := s.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			s.fill(v.Index(i))
		}
	case reflect.Array:
		if s.IntN(4) > 0 {
			v.Set(reflect.ValueOf(s.id))
		}
	case reflect.String:
		names := []string{"", "orders", "orders", "orders.status", "order-workers", "g", "consumer", "range", "1", "0", "group.min.session.timeout.ms", "offsets.retention.check.interval.ms", "cleanup.policy", "retention.ms", "num.partitions", "log.cleaner.backoff.ms", "\x00", strings.Repeat("x", 300)}
		v.SetString(names[s.IntN(len(names))])
	case reflect.Bool:
		v.SetBool(s.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		numbers := []int64{-2, -1, 0, 0, 0, 1, 2, 3, 4, 8, 10, 1000, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}
		free := 64 - v.Type().Bits()
		v.SetInt(numbers[s.IntN(len(numbers))] << free >> free)
	case reflect.Float64:
		v.SetFloat([]float64{0, -1, math.NaN(), math.Inf(1)}[s.IntN(4)])
	}
}

// bytes are none, a few, or a batch of records with a byte changed.
func (s stranger) bytes() []byte {
	b := make([]byte, s.IntN(6))
	if s.IntN(2) == 0 {
		batch := kmsg.RecordBatch{PartitionLeaderEpoch: -1, Magic: 2, LastOffsetDelta: 0, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: 1, Records: []byte("\x10\x00\x00\x00\x01\x02k\x02v\x00")}
		b = batch.AppendTo(nil)
		binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
		if s.IntN(2) == 0 {
			b[s.IntN(len(b))] ^= byte(1 << s.IntN(8))
		}
		binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	}
	return b
}

func TestAcceptContinuesAfterErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failing := &listener{errs: make(chan error)}
		d := broker.NewListener(failing)
		accepted := make(chan error, 1)
		go func() { // ends with the listener
			c, err := d.Accept()
			if err == nil {
				err = c.Close()
			}
			accepted <- err
			_, err = d.Accept()
			accepted <- err
		}()
		for range 10 {
			failing.errs <- syscall.EMFILE
		}
		failing.errs <- nil
		if err := <-accepted; err != nil {
			t.Errorf("got %v, want the connection", err)
		}
		failing.errs <- syscall.EMFILE
		d.Close()
		if err := <-accepted; !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed while it pauses: got %v, want %v", err, net.ErrClosed)
		}
	})
}

// listener is a fake whose Accept returns what the test sends.
type listener struct {
	net.Listener
	errs chan error
}

func (l *listener) Accept() (net.Conn, error) {
	if err := <-l.errs; err != nil {
		return nil, err
	}
	_, c := net.Pipe()
	return c, nil
}

func (l *listener) Close() error { return nil }

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := &listener{errs: make(chan error)}
		d := broker.NewListener(in)
		accepted := make(chan net.Conn)
		go func() { // ends with the listener
			for {
				c, err := d.Accept()
				if err != nil {
					close(accepted)
					return
				}
				accepted <- c
			}
		}()
		var first net.Conn
		for range broker.MaxConns {
			in.errs <- nil
			if c := <-accepted; first == nil {
				first = c
			}
		}
		in.errs <- nil // closed at once: too many connections
		synctest.Wait()
		select {
		case <-accepted:
			t.Error("got one connection too many")
		default:
		}
		first.Close()
		first.Close() // frees one slot only
		in.errs <- nil
		<-accepted
		in.errs <- nil
		synctest.Wait()
		select {
		case <-accepted:
			t.Error("got two connections for one that was closed")
		default:
		}
		in.errs <- net.ErrClosed
		<-accepted
	})
}
