package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/jobs"
	"example.com/orders/services/order-api/internal/view"
)

// progressEvery is the shortest time between two events of a job: changes in between are one event.
const progressEvery = 500 * time.Millisecond

func (a *api) watchReplay(c echo.Context) error { return a.WatchReplay(c, sendJob) }

// JobSender writes a job as the visitor may see it, or that nothing has changed: then the job is nil.
type JobSender func(w io.Writer, job *client.ReplayJob) error

// WatchReplay streams the progress of the requested job. Each event has the whole progress, so a client
// that reconnects needs the newest one only, whatever it has received.
func (a *api) WatchReplay(c echo.Context, send JobSender) error {
	after, err := lastEventID(c.Request().Header)
	if err != nil {
		return err
	}
	changes, stop := a.Jobs.Watch()
	defer stop()
	p, err := a.Jobs.Get(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	if jobEnded(p) && after >= p.Rev {
		return c.NoContent(http.StatusNoContent)
	}
	c.Response().Header().Set("Content-Type", "text/event-stream")
	c.Response().Header().Set("X-Accel-Buffering", "no")
	if c.Request().Method == http.MethodHead {
		return c.NoContent(http.StatusOK)
	}
	if after > p.Rev { // of a read model that was rebuilt, or of another job
		after = -1
	}
	return a.streamJob(c, p, after, changes, send)
}

// jobEnded reports whether no change of a job can follow.
func jobEnded(p jobs.Progress) bool {
	return p.State.Final() && toReplayCounts(p).InProgress == 0
}

// streamJob sends the progress of a job after changes, until it has ended, the client disconnects or
// the program stops. A phase can change without a record: a job without results becomes stalled.
func (a *api) streamJob(c echo.Context, p jobs.Progress, after int64, changes <-chan struct{}, send JobSender) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	defer func() { extend(c) }()
	sent := jobs.Progress{Phase: p.Phase, Rev: after}
	for comment := true; ; {
		if p.Rev != sent.Rev || p.Phase != sent.Phase {
			if err := flushJob(c, new(visitorOf(c).job(p)), send); err != nil {
				return err
			}
			sent = p
		} else if comment {
			if err := flushJob(c, nil, send); err != nil {
				return err
			}
		}
		if jobEnded(p) {
			return nil
		}
		var waiting bool
		if waiting, comment = a.awaitJob(c, changes, beat.C); !waiting {
			return nil
		}
		now, err := a.Jobs.Get(c.Request().Context(), p.ID)
		if err == nil {
			p = now
		} else if !errors.Is(err, view.ErrStore) { // a rebuilt read model signals the change again
			return err
		}
	}
}

// awaitJob waits for a change, and then so long that events are progressEvery apart; or for a
// heartbeat, which is a comment if nothing has changed. It reports false if the stream ends.
func (a *api) awaitJob(c echo.Context, changes <-chan struct{}, beat <-chan time.Time) (waiting, comment bool) {
	select {
	case <-beat:
		return true, true
	case <-c.Request().Context().Done():
		return false, false
	case <-a.Stopping:
		return false, false
	case <-changes:
	}
	pause := time.NewTimer(progressEvery)
	defer pause.Stop()
	select {
	case <-pause.C:
		return true, false
	case <-c.Request().Context().Done():
	case <-a.Stopping:
	}
	return false, false
}

func flushJob(c echo.Context, job *client.ReplayJob, send JobSender) error {
	control := extend(c)
	if err := send(c.Response(), job); err != nil {
		return err
	}
	return control.Flush()
}

// sendJob is the JobSender of the API.
func sendJob(w io.Writer, job *client.ReplayJob) error {
	if job == nil {
		_, err := io.WriteString(w, ":\n\n")
		return err
	}
	data, err := json.Marshal(job)
	if err == nil {
		_, err = fmt.Fprintf(w, "id: %d\ndata: %s\n\n", job.Rev, data)
	}
	return err
}
