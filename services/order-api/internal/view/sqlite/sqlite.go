// Package sqlite keeps the read model of package view in one SQLite file.
//
// A Store locks its file against other processes with a second file, because two views on one file
// would overwrite each other's positions. People and programs may still touch it: a file that is
// locked, or cannot be written, is unavailable until that passes; one that is deleted, replaced,
// truncated or corrupt is damaged, and Reset replaces it. One connection writes at a time; readers
// see the last transaction.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/orders/services/order-api/internal/view"
	"example.com/orders/services/order-api/internal/view/tables"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/order"
)

// Store is a view.Store in a file.
type Store struct {
	tables.Tables
	path string
	lock *sql.DB

	mu sync.RWMutex // read-locked while the file is used, locked while it is opened, replaced or closed
	db *database    // nil while no file is open
}

var _ view.Store = (*Store)(nil)

// Open locks a file that need not exist; its folder must. It is an error if another process uses
// the file. The caller closes the store.
func Open(ctx context.Context, path string) (*Store, error) {
	lock, err := lockFile(ctx, path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, lock: lock}
	s.Tables = tables.New(func(do func(tables.Reader) error) error {
		return s.use(func(db *database) error { return do(db) })
	})
	return s, nil
}

// Close closes the file and releases its lock.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.close(), s.lock.Close())
}

// Resume implements view.Store.
func (s *Store) Resume(ctx context.Context, topics map[string]kadm.TopicID) (map[kafka.Partition]view.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.close()
	if err == nil {
		s.db, err = openDatabase(ctx, s.path)
	}
	if err != nil {
		return nil, faults.Classify(err)
	}
	positions, err := s.db.positions(ctx, topics)
	if err == nil && positions != nil {
		err = s.db.noteFiles()
	}
	if err != nil {
		return nil, faults.Classify(errors.Join(err, s.close()))
	}
	return positions, nil
}

// Reset implements view.Store. After an error no file is open.
func (s *Store) Reset(ctx context.Context, topics map[string]kadm.TopicID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := errors.Join(s.close(), removeFiles(s.path))
	if err == nil {
		s.db, err = openDatabase(ctx, s.path)
	}
	if err == nil {
		err = s.db.create(ctx, topics)
	}
	if err == nil {
		err = s.db.noteFiles()
	}
	if err != nil {
		return faults.Unavailable(errors.Join(err, s.close()))
	}
	return nil
}

// close closes the file, if one is open. The caller holds mu.
func (s *Store) close() error {
	if s.db == nil {
		return nil
	}
	db := s.db
	s.db = nil
	return db.Close()
}

// Check implements view.Store.
func (s *Store) Check() error {
	return s.use(func(db *database) error { return db.moved() })
}

// Order implements view.Store. It finds one row by an index, so it is not ended by ctx: for each statement that can be
// cancelled, the driver and package sql start a goroutine, which costs a tenth of the answer to a request.
func (s *Store) Order(ctx context.Context, id order.ID) (*view.Row, error) {
	return s.Tables.Order(context.WithoutCancel(ctx), id)
}

// Refunds implements view.Store. See Order.
func (s *Store) Refunds(ctx context.Context, of order.ID) ([]view.Row, error) {
	return s.Tables.Refunds(context.WithoutCancel(ctx), of)
}

// Apply implements view.Store.
func (s *Store) Apply(ctx context.Context, b view.Batch) error {
	return s.use(func(db *database) error {
		tx, err := db.begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after the commit
		// The driver starts a goroutine for each statement that can be cancelled. The end of ctx rolls back the transaction.
		if err := tables.Apply(context.WithoutCancel(ctx), tx, b); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// Trim implements view.Store.
func (s *Store) Trim(ctx context.Context, foreign string, partition int32, below int64) error {
	return s.use(func(db *database) error {
		tx, err := db.begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after the commit
		if err := tables.Trim(ctx, tx, foreign, partition, below); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// use calls do with the open file.
func (s *Store) use(do func(*database) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return &view.UnavailableError{Reason: notWritable}
	}
	return faults.Classify(do(s.db))
}
