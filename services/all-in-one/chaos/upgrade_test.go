package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// otherVersions sets --bin and --from to directories with this test program.
func (p *fakeSystem) otherVersions(t *testing.T) {
	t.Helper()
	p.Bin, p.From = t.TempDir(), t.TempDir()
	for _, dir := range []string{p.Bin, p.From} {
		if err := os.Symlink(os.Args[0], filepath.Join(dir, filepath.Base(os.Args[0]))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUpgradeReplacesTheWorkersFirstAndGoesBackWithTheAPIs(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.otherVersions(t)
	all := slices.Concat(p.workers[:workerCount], p.apis)
	p.startAll(t, all...)
	if err := p.upgradeAndBack(t.Context(), fault{kind: upgradeKind(), duration: soon}); err != nil {
		t.Fatal(err)
	}
	var started []string
	for range 2 * len(all) {
		for _, want := range []string{" was events: terminated", " exited", " started"} {
			event := <-p.events
			name, ok := strings.CutSuffix(event, want)
			if !ok {
				t.Errorf("got %q, want one process%s before the next", event, want)
			}
			if want == " started" {
				started = append(started, name)
			}
		}
	}
	if want := []string{"worker-1", "worker-2", "api-1", "api-2", "api-1", "api-2", "worker-1", "worker-2"}; !slices.Equal(started, want) {
		t.Errorf("got %v, want %v", started, want)
	}
	for _, one := range all {
		if filepath.Dir(one.args[0]) != p.From {
			t.Errorf("%s runs %s in the end, want that of --from", one.name, one.args[0])
		}
	}
}

func TestUpgradeThatBlocksAPartitionFails(t *testing.T) {
	t.Parallel()
	p := setup(t)
	p.otherVersions(t)
	all := slices.Concat(p.workers[:workerCount], p.apis)
	p.startAll(t, all...)
	if err := os.WriteFile(p.workers[1].log, []byte("msg=ready\nmsg=\"partition blocked: this version cannot process a record\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := p.upgradeAndBack(t.Context(), fault{kind: upgradeKind(), duration: soon})
	if err == nil || !strings.HasPrefix(err.Error(), `worker-2: msg="partition blocked`) {
		t.Errorf("got %v, want the line of the worker's log", err)
	}
}

// TestUpgradeUnderLoadKeepsEveryPromise runs the whole program: the load ends with the upgrade, long before the minutes
// are over.
func TestUpgradeUnderLoadKeepsEveryPromise(t *testing.T) {
	t.Parallel()
	port, scripts := fakeKafka(t)
	s := settings{Minutes: 10, Rate: 10, Seed: 1, Port: port, Bin: programs(t), From: programs(t), Scripts: scripts, Prefix: "orders", Group: "order-workers"}
	var out bytes.Buffer
	found, err := runPlan(t.Context(), s, t.TempDir(), []fault{{kind: upgradeKind(), duration: soon}}, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if err := report(s, found, &out); err != nil || found.Accepted == 0 || len(found.Kinds) != 1 {
		t.Errorf("got %v, %+v\n%s", err, found, &out)
	}
}
