package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// upgradeKind is the only fault of a run with --from.
func upgradeKind() kind {
	return kind{name: "upgrade-and-back", component: componentWorkers, inject: (*system).upgradeAndBack}
}

// upgradePlan is the schedule of a run with --from. The load ends when the fault ends.
func upgradePlan() []fault {
	return []fault{{kind: upgradeKind(), at: warmUp, duration: mixedFor}}
}

// mixedFor is how long orders are placed at each stage: with the new workers and the old APIs, and with all new.
const mixedFor = 4 * time.Second

// upgradeAndBack replaces the programs of --from by those of --bin, one process at a time: the workers first, then the
// APIs. Then it goes back: the APIs first. Each process finishes its orders before it ends.
func (s *system) upgradeAndBack(ctx context.Context, f fault) error {
	workers, apis := s.workers[:workerCount], s.apis
	for _, stage := range []struct {
		bin string
		of  []*process
	}{{s.Bin, workers}, {s.Bin, apis}, {s.From, apis}, {s.From, workers}} {
		for _, p := range stage.of {
			if err := s.replace(ctx, p, stage.bin); err != nil {
				return err
			}
		}
		wait(ctx, f.duration)
	}
	return s.noneBlocked(slices.Concat(workers, apis))
}

// replace stops a process, and starts the program of the same name in another directory instead.
func (s *system) replace(ctx context.Context, p *process, bin string) error {
	if err := p.end(syscall.SIGTERM); err != nil {
		return err
	}
	p.args[0] = filepath.Join(bin, filepath.Base(p.args[0]))
	s.logf("%s: %s", p.name, p.args[0])
	return p.start(ctx)
}

// noneBlocked is an error if one of the processes has logged that it blocked a partition: it found a record of a newer
// version.
func (*system) noneBlocked(all []*process) error {
	var found error
	for _, p := range all {
		text, err := os.ReadFile(p.log)
		if err != nil {
			return err
		}
		for line := range bytes.Lines(text) {
			if bytes.Contains(line, []byte("partition blocked")) {
				found = errors.Join(found, fmt.Errorf("%s: %s", p.name, bytes.TrimSpace(line)))
				break
			}
		}
	}
	return found
}
