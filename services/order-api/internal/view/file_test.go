package view_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/shared/order"
	"example.com/orders/shared/wire"
)

// lines is where a logger writes to that tells of its lines.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(bytes.Clone(line))
	return len(line), nil
}

// wait returns when a line has a text.
func (l lines) wait(t *testing.T, text string) {
	t.Helper()
	for line := range l {
		if strings.Contains(line, text) {
			return
		}
	}
}

// logged starts a view whose log lines can be waited for.
func (b bench) logged(t *testing.T) (*view.View, lines, func() error) {
	t.Helper()
	log := make(lines, 1000)
	cfg := b.config(t)
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	v, stop := b.startWith(t, cfg)
	return v, log, stop
}

// exec runs statements on the file as another program would.
func (b bench) exec(t *testing.T, statements ...string) (end func()) {
	t.Helper()
	db, err := sql.Open("sqlite", b.path)
	must(t, err)
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		_, err := db.ExecContext(t.Context(), s)
		must(t, err)
	}
	return func() { must(t, db.Close()) }
}

func TestALockedFileIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, b.Topics.Orders, wire.Order(placed(1)))
	v, log, stop := b.logged(t)
	unlock := b.exec(t, "BEGIN IMMEDIATE")
	b.put(t, b.Topics.Orders, wire.Order(placed(2)))
	log.wait(t, "the read model cannot be written")
	if got := v.Health().Trouble; !strings.Contains(got, "lock") {
		t.Errorf("got trouble %q, want that of a lock", got)
	}
	get(t, v, "ord_001")
	watched(t, v, "ord_002", unlock)
	if got := v.Health().Trouble; got != "" {
		t.Errorf("got trouble %q after the lock, want none", got)
	}
	must(t, stop())
}

// disk is a store on a disk that can be full.
type disk struct {
	view.Store
	full atomic.Bool
	away atomic.Bool // it cannot be read, either
}

func (d *disk) Check() error {
	if d.away.Load() {
		return &view.UnavailableError{Reason: "it is away"}
	}
	return d.Store.Check()
}

func (d *disk) Reset(ctx context.Context, topics map[string]kadm.TopicID) error {
	if d.full.Load() {
		return &view.UnavailableError{Reason: "the disk is full"}
	}
	return d.Store.Reset(ctx, topics)
}

func (d *disk) Apply(ctx context.Context, b view.Batch) error {
	if d.full.Load() {
		return &view.UnavailableError{Reason: "the disk is full"}
	}
	return d.Store.Apply(ctx, b)
}

func TestAFileThatCannotBeUsedAtTheStartIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		trouble string
		harm    func(t *testing.T, b bench, d *disk) (end func())
	}{
		"locked": {"another process holds a lock on its file", func(t *testing.T, b bench, _ *disk) func() {
			return b.exec(t, "PRAGMA locking_mode = EXCLUSIVE", "BEGIN IMMEDIATE", "UPDATE positions SET epoch = epoch")
		}},
		"full": {"the disk is full", func(t *testing.T, b bench, d *disk) func() {
			must(t, os.Remove(b.path))
			d.full.Store(true)
			return func() { d.full.Store(false) }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.put(t, b.Topics.Orders, wire.Order(placed(1)))
			_, stop := b.start(t)
			must(t, stop())
			log, cfg := make(lines, 1000), b.config(t)
			disk := &disk{Store: cfg.Store}
			cfg.Store, cfg.Log = disk, slog.New(slog.NewTextHandler(log, nil))
			end := row.harm(t, b, disk)
			v, stop := b.run(t, cfg)
			log.wait(t, "the read model cannot be written")
			if got := v.Health().Trouble; got != row.trouble {
				t.Errorf("got trouble %q, want %q", got, row.trouble)
			}
			if _, err := v.Order(t.Context(), "ord_001"); !errors.Is(err, view.ErrStore) {
				t.Errorf("got %v, want ErrStore", err)
			}
			end()
			must(t, v.Fresh(t.Context()))
			get(t, v, "ord_001")
			must(t, stop())
		})
	}
}

// TestAFullDiskIsWaitedFor has a batch that fails in its middle: the claim before counts once, and
// so does each stale state.
func TestAFullDiskIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, b.Topics.Orders, wire.Order(placed(1)))
	log, cfg := make(lines, 1000), b.config(t)
	disk := &disk{Store: cfg.Store}
	cfg.Store, cfg.Log = disk, slog.New(slog.NewTextHandler(log, nil))
	v, stop := b.startWith(t, cfg)
	disk.full.Store(true)
	o := placed(2)
	o.Note = strings.Repeat("x", 100_000)
	stale := b.at(placed(1), 0, order.Working)
	b.put(t, b.Topics.Status, wire.Claim{Worker: "v", At: time.Now()}.Record(), wire.Claim{Worker: "w", At: time.Now()}.Record(), wire.State(stale, 0), wire.State(b.at(o, 1, order.Working), 1))
	log.wait(t, "the read model cannot be written")
	if got := v.Health().Trouble; got != "the disk is full" {
		t.Errorf("got trouble %q, want a full disk", got)
	}
	if got := watched(t, v, o.ID, func() { disk.full.Store(false) }); got.Status != order.Working {
		t.Errorf("got %s, want working", got.Status)
	}
	if got := v.Health().Stale; got != 1 {
		t.Errorf("got %d stale states, want 1", got)
	}
	must(t, stop())
}

func TestALostFileIsRebuiltWhileRunning(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(t *testing.T, b bench){
		"deleted": func(t *testing.T, b bench) {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				must(t, os.Remove(b.path+suffix))
			}
		},
		"log deleted":      func(t *testing.T, b bench) { must(t, os.Remove(b.path+"-wal")) },
		"memory deleted":   func(t *testing.T, b bench) { must(t, os.Remove(b.path+"-shm")) },
		"memory truncated": func(t *testing.T, b bench) { must(t, os.Truncate(b.path+"-shm", 0)) },
		"replaced": func(t *testing.T, b bench) {
			must(t, os.WriteFile(b.path+".new", []byte("nothing"), 0o600))
			must(t, os.Rename(b.path+".new", b.path))
		},
		"truncated": func(t *testing.T, b bench) {
			b.exec(t, "PRAGMA wal_checkpoint")()
			must(t, os.Truncate(b.path, 0))
		},
		"without tables": func(t *testing.T, b bench) {
			b.exec(t, "DROP TABLE positions")()
			b.put(t, b.Topics.Orders, wire.Order(placed(3)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.put(t, b.Topics.Orders, wire.Order(placed(1)))
			v, log, stop := b.logged(t)
			harm(t, b)
			log.wait(t, "rebuilding the read model")
			log.wait(t, "the read model is complete")
			get(t, v, "ord_001")
			watched(t, v, "ord_002", func() { b.put(t, b.Topics.Orders, wire.Order(placed(2))) })
			must(t, stop())
			again, _ := b.start(t)
			get(t, again, "ord_002") // it stood in the file that has the name
		})
	}
}

// TestACorruptFileIsRebuiltWhileRunning has readers that find the damage: no record comes.
func TestACorruptFileIsRebuiltWhileRunning(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, b.Topics.Orders, wire.Order(placed(1)))
	v, log, stop := b.logged(t)
	b.exec(t, "PRAGMA wal_checkpoint")()
	info, err := os.Stat(b.path)
	must(t, err)
	f, err := os.OpenFile(b.path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, int(info.Size())-4096), 4096)
	must(t, errors.Join(err, f.Close()))
	b.exec(t, "PRAGMA application_id = 1")() // what readers have in memory is not valid any more
	for {
		if _, err := v.Order(t.Context(), "ord_001"); errors.Is(err, view.ErrBehind) {
			break
		} else if err != nil {
			t.Fatalf("got %v, want ErrBehind", err)
		}
	}
	log.wait(t, "rebuilding the read model")
	log.wait(t, "the read model is complete")
	get(t, v, "ord_001")
	must(t, stop())
}

// TestAFolderThatCannotBeWrittenIsWaitedFor has no folder: a superuser may write to one that is
// read-only.
func TestAFolderThatCannotBeWrittenIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, b.Topics.Orders, wire.Order(placed(1)))
	folder := t.TempDir() + "/data"
	must(t, os.Mkdir(folder, 0o700))
	b.path = folder + "/view.db"
	v, log, stop := b.logged(t)
	must(t, os.RemoveAll(folder))
	log.wait(t, "the read model cannot be written")
	for _, id := range []order.ID{"ord_001", "ord_009"} {
		if _, err := v.Order(t.Context(), id); !errors.Is(err, view.ErrBehind) {
			t.Errorf("%s: got %v, want ErrBehind", id, err)
		}
	}
	if _, _, err := v.Orders(t.Context(), view.Filter{Limit: 9}); !errors.Is(err, view.ErrBehind) {
		t.Errorf("orders: got %v, want ErrBehind", err)
	}
	must(t, os.Mkdir(folder, 0o700))
	must(t, v.Fresh(context.WithoutCancel(t.Context())))
	get(t, v, "ord_001")
	must(t, stop())
}
