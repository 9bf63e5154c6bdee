package view

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// What is done about the file while the view runs: one that cannot be written is waited for, one that is lost is made again.

// errCut is a reason to make the file again.
var errCut = errors.New("a leader has forgotten records that it was built from")

// lose says that the file must be made again, which tail does.
func (v *View) lose(reason error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.lost == nil {
		v.lost = reason
		v.wake()
	}
}

// poll fetches records. It ends early when the file is lost: what was fetched then is read again.
func (v *View) poll(ctx context.Context) kgo.Fetches {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	v.mu.Lock()
	v.wake = stop
	if v.lost != nil {
		stop()
	}
	v.mu.Unlock()
	return v.cl.PollRecords(ctx, batchSize)
}

// take applies what was fetched. Before that it makes a file again that is lost, and reports that: then all is fetched again. While the
// file cannot be written it tries again.
func (v *View) take(ctx context.Context, fetches kgo.Fetches) (built bool, err error) {
	for backoff := (kafka.Backoff{}); ; {
		reason := v.isLost()
		if reason != nil {
			backoff.Tell(reason, func(err error) { v.cfg.Log.Warn("rebuilding the view", telemetry.Error, err) })
			err = v.rebuild(ctx)
		} else {
			err = v.apply(ctx, fetches)
		}
		v.setTrouble(err)
		switch {
		case err == nil || ctx.Err() != nil:
			return reason != nil, err
		case reason == nil && damaged(err):
			v.lose(err)
			continue
		case reason == nil && passing(err) == "":
			return false, err
		}
		backoff.Pause(ctx, err, func(err error) {
			v.cfg.Log.Warn("the read model cannot be written: waiting", telemetry.Error, err)
		})
	}
}

func (v *View) isLost() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.lost
}

func (v *View) setTrouble(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.trouble = err
}

// troubled says in words why the file cannot be written, or that it is being made again; or it is empty. The caller holds mu.
func (v *View) troubled() string {
	switch {
	case v.trouble != nil && passing(v.trouble) != "":
		return passing(v.trouble)
	case v.trouble != nil && !damaged(v.trouble):
		return "its file or folder cannot be written"
	case v.building || v.lost != nil:
		return "it is being built again from Kafka"
	}
	return ""
}

// read asks the file. While that cannot answer the error is ErrFile; a file that turns out to be damaged is made again.
func (v *View) read(ask func(*sql.DB) error) error {
	v.file.mu.RLock()
	defer v.file.mu.RUnlock()
	if v.file.parts == nil { // it could not be made
		return ErrFile
	}
	err := ask(v.file.db)
	if damaged(err) {
		v.lose(err)
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	if passing(err) != "" {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	return err
}

// complete is ErrFile while the file has not everything that was read before: what it does not know may be there.
func (v *View) complete() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.building || v.lost != nil {
		return ErrFile
	}
	return nil
}
