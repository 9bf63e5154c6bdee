package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/telemetry"
)

// watch listens until ctx is done. It pauses after errors, which would repeat at once.
func (s *Store) watch(ctx context.Context) {
	for backoff := (kafka.Backoff{}); ctx.Err() == nil; {
		err := faults.Unavailable(s.listen(ctx, backoff.Succeeded))
		if ctx.Err() != nil {
			return
		}
		s.state.failed(err)
		backoff.Pause(ctx, err, func(err error) {
			s.log.Warn("no connection to the database of the read model: trying again", telemetry.Error, err)
		})
	}
}

// listen follows the changes of other instances on a connection of its own, and keeps or takes the
// lease. It calls listening when it is connected.
func (s *Store) listen(ctx context.Context, listening func()) error {
	if err := s.db.migrate(ctx); err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, s.db.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		// What has changed before LISTEN is seen here. It is not cancelled: the database could still extend the lease
		// when Close has given it up.
		if err := s.renew(context.WithoutCancel(ctx), conn, 0); err != nil {
			return err
		}
		listening()
		if err := s.await(ctx, conn); err != nil {
			return err
		}
	}
}

// await returns when there are news, or it is time to renew the lease or to look whether it has expired. News are
// those of this instance itself while it writes.
func (s *Store) await(ctx context.Context, conn *pgx.Conn) error {
	waiting, cancel := context.WithTimeout(ctx, renewal)
	defer cancel()
	for {
		_, err := conn.WaitForNotification(waiting)
		switch {
		case err != nil && waiting.Err() != nil:
			return ctx.Err()
		case err != nil || s.state.leads() == 0:
			return err
		}
	}
}
