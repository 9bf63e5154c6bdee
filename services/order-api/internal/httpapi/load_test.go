package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/internal/httpapi"
)

// The load, and the bounds that deploy/README.md states. The process has the clients' ends of the
// connections and the broker too.
const (
	idleStreams, openWaits = 2000, 500
	gets                   = 1000
	maxP99                 = 50 * time.Millisecond
	maxRSS                 = 400 << 20
)

// opened is a request that is sent, and whose answer is not read yet.
type opened struct {
	net.Conn
	answer *bufio.Reader
}

// open sends a request on a connection of its own.
func (s *shop) open(ctx context.Context, request string) (opened, error) {
	c, err := s.dial(ctx, "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return opened{}, err
	}
	_, err = io.WriteString(c, request)
	return opened{c, bufio.NewReaderSize(c, 16)}, err
}

// openAll sends many requests, and reads the first line of each answer unless no status is
// expected yet.
func (s *shop) openAll(t *testing.T, n int, request, status string) []opened {
	t.Helper()
	all := make([]opened, n)
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(50)
	for i := range all {
		g.Go(func() (err error) {
			if all[i], err = s.open(ctx, request); err != nil || status == "" {
				return err
			}
			line, err := all[i].answer.ReadString('\n')
			if err == nil && !strings.Contains(line, status) {
				err = fmt.Errorf("request %d: got %q, want %s", i, line, status)
			}
			return err
		})
	}
	must(t, g.Wait())
	t.Cleanup(func() {
		for _, c := range all {
			c.Close()
		}
	})
	return all
}

// TestThousandsOfIdleStreamsAndWaits measures reads while many clients wait, then stops the API. On a busy machine, reads may take four
// times as long as without those clients.
func TestThousandsOfIdleStreamsAndWaits(t *testing.T) {
	debug.FreeOSMemory() // of the tests before
	s := setup(t, func(c *httpapi.Config) { c.Limits = httpapi.Limits{Streams: 2 * idleStreams, Waits: 2 * openWaits} })
	watched := s.place(t, wanted())
	path := "/v1/orders/" + string(watched.Order.ID)
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n" }
	post := fmt.Sprintf("POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\nContent-Length: %d\r\n\r\n%s", len(good), good)

	most := max(maxP99, 4*s.readLatency(t, path))
	streams := s.openAll(t, idleStreams, get(path+"/events"), "200 OK")
	waits := s.openAll(t, openWaits, post, "")
	s.awaitOrders(t, 1+openWaits) // each of them has its slot
	s.refusesOneMore(t, get(path+"/events"), post)
	p99 := s.readLatency(t, path)
	for round := 0; p99 > most && round < 20; round++ { // another program may use the processors
		p99 = s.readLatency(t, path)
	}
	rss := residentSet(t)
	t.Logf("p99 of a GET %s, resident set %d MiB", p99, rss>>20)
	if p99 > most || rss > maxRSS && !raced {
		t.Errorf("got p99 %s and %d MiB, want at most %s and %d MiB", p99, rss>>20, most, maxRSS>>20)
	}

	s.stop()
	for _, c := range streams {
		if err := readStream(c.answer); err != nil {
			t.Fatalf("stream: got %v, want its end", err)
		}
	}
	for _, c := range waits {
		if line, err := c.answer.ReadString('\n'); err != nil || !strings.Contains(line, "202 Accepted") {
			t.Fatalf("wait: got %q, %v; want 202", line, err)
		}
	}
}

// readLatency is the 99th percentile of the time for a GET.
func (s *shop) readLatency(t *testing.T, path string) time.Duration {
	t.Helper()
	var took []time.Duration
	for range gets {
		begun := time.Now()
		resp := s.send(t, s.raw, "GET", path, "")
		if text(t, resp); resp.StatusCode != http.StatusOK {
			t.Fatalf("GET: got %s, want 200", resp.Status)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return took[gets*99/100]
}

// readStream reads a stream to its regular end, which is an empty chunk.
func readStream(from *bufio.Reader) error {
	for {
		line, err := from.ReadString('\n')
		if err != nil || line == "0\r\n" {
			return err
		}
	}
}

// awaitOrders returns when the topic has n orders.
func (s *shop) awaitOrders(t *testing.T, n int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Config().Brokers...), kgo.ConsumeTopics(s.Topics.Orders))
	must(t, err)
	defer cl.Close()
	for n > 0 {
		fetched := cl.PollFetches(t.Context())
		must(t, fetched.Err())
		n -= fetched.NumRecords()
	}
}

// refusesOneMore checks that one more stream, and one more wait, are answered 429.
func (s *shop) refusesOneMore(t *testing.T, requests ...string) {
	t.Helper()
	for _, request := range requests {
		c, err := s.open(t.Context(), request)
		must(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "5" || !strings.Contains(string(body), "/problems/rate-limit") {
			t.Errorf("%.40q: got %s with %v: %s; want 429", request, resp.Status, resp.Header, body)
		}
		c.Close()
	}
}

// residentSet is the memory of this process in bytes.
func residentSet(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	must(t, err)
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatal("no VmRSS in /proc/self/status")
	}
	kilobytes, err := strconv.Atoi(string(found[1]))
	must(t, err)
	return kilobytes << 10
}
