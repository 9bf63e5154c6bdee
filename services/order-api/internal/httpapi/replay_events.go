package httpapi

import (
	"errors"
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
	if isHead := startStream(c); isHead {
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

// streamJob sends the progress of a job after changes, until it has ended. A phase can change without a
// record: a job without results becomes stalled.
func (a *api) streamJob(c echo.Context, p jobs.Progress, after int64, changes <-chan struct{}, send JobSender) error {
	sent := jobs.Progress{Phase: p.Phase, Rev: after}
	return a.follow(c, changes, progressEvery, func(started, idle bool) (ended bool, err error) {
		if started {
			now, err := a.Jobs.Get(c.Request().Context(), p.ID)
			if err == nil {
				p = now
			} else if !errors.Is(err, view.ErrStore) { // a rebuilt read model signals the change again
				return false, err
			}
		}
		switch {
		case p.Rev != sent.Rev || p.Phase != sent.Phase:
			sent = p
			err = flush(c, func(w io.Writer) error { return send(w, new(visitorOf(c).job(p))) })
		case idle:
			err = flush(c, func(w io.Writer) error { return send(w, nil) })
		}
		return jobEnded(p), err
	})
}

// sendJob is the JobSender of the API.
func sendJob(w io.Writer, job *client.ReplayJob) error {
	if job == nil {
		_, err := io.WriteString(w, emptyComment)
		return err
	}
	return writeEvent(w, job.Rev, job)
}
