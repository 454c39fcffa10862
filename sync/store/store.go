// Package store is the Postgres side: rows of mapped tables, bases, dirty
// marks, inbox, outbox, intents, checkpoints, conflicts and the journal.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"closesync/mapping"
)

// Querier is what a pool and a transaction share.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Store is one connection's part of the database. It is safe for concurrent
// use; every exported method owns its transaction. Those that the engine calls
// may run twice; a command of a person such as Undo acts each time.
type Store struct {
	pool    database
	name    string
	id      int32
	role    string // the worker's own, whose writes are not captured
	objects map[string]*mapping.Object
	tables  atomic.Pointer[map[string]*table]
	// registered are the types of which register has nothing left to do.
	registered sync.Map
	rowSize    atomic.Int64 // bytes a row of the last COPY, as a guess for the next
	log        *slog.Logger
	sealer     Sealer
	enqueue    func(ctx context.Context, tx pgx.Tx) error
	worker     string       // stands in the claims of this process; "" for nobody known
	turn       atomic.Int64 // of claims
	// veiled: row-level security hid rows; plans that were made meanwhile still do.
	veiled atomic.Bool
	// rehearses: all that is done is undone, so that no row of a user is locked.
	rehearses bool
	pursued   []int64 // records that alone are claimed; nil for all
}

// database is a pool, or the transaction of a rehearsal.
type database interface {
	Querier
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Sealer keeps a secret unreadable in the database. Purpose is bound to the
// text: it does not open for another one.
type Sealer interface {
	Seal(plain, purpose string) (string, error)
	Open(sealed, purpose string) (string, error)
}

// Options makes a Store.
type Options struct {
	Pool       *pgxpool.Pool
	Connection string
	Objects    map[string]*mapping.Object
	Logger     *slog.Logger
	// WorkerRole is the role whose writes are the worker's own; "" is the
	// session's. `migrate` works for another role than its own.
	WorkerRole string
	// Sealer is needed where a webhook subscription is kept; nil refuses to
	// store its key.
	Sealer Sealer
	// LookOnly opens without writing the connection down.
	LookOnly bool
	// Enqueue is called in every transaction that marks records dirty; it puts
	// an alarm in the queue. nil: nobody is woken.
	Enqueue func(ctx context.Context, tx pgx.Tx) error
}

// Open finds or makes the connection's row and reads the catalogue of the
// mapped tables. It writes nothing else.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{pool: o.Pool, name: o.Connection, objects: o.Objects, log: o.Logger, sealer: o.Sealer, enqueue: o.Enqueue}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.introduce(ctx, o.LookOnly); err != nil {
		return nil, fmt.Errorf("store.Open(%q): %w", o.Connection, err)
	}
	if o.WorkerRole != "" {
		s.role = o.WorkerRole
	}
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	s.meetColumns()
	return s, nil
}

// Objects are those of Options, with what their columns say about the fields.
func (s *Store) Objects() map[string]*mapping.Object { return s.objects }

// meetColumns settles once what kind of values the fields hold whose columns
// decide that: both sides must compare by the same.
func (s *Store) meetColumns() {
	for _, t := range s.tableSet() {
		for i := range t.columns {
			c := &t.columns[i]
			for j := range t.object.Fields {
				if f := &t.object.Fields[j]; f.Close == c.field.Close {
					f.Meet(c.typname, c.exact)
					c.field = *f
				}
			}
		}
	}
}

// introduce gives the connection its number. One only looked at may have none.
func (s *Store) introduce(ctx context.Context, lookOnly bool) error {
	sql := `WITH made AS (INSERT INTO closesync.connections (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING id)
		SELECT id, session_user::text FROM made UNION ALL SELECT id, session_user::text FROM closesync.connections WHERE name = $1 LIMIT 1`
	if lookOnly {
		sql = `SELECT coalesce((SELECT id FROM closesync.connections WHERE name = $1), 0), session_user::text`
	}
	return s.pool.QueryRow(ctx, sql, s.name).Scan(&s.id, &s.role)
}

// Refresh reads the catalogue of the mapped tables again: columns come, go and
// change their type while the worker runs. A table that is gone stops its own
// type alone: nothing is read, written or deleted for it until it is back
// (fault C17). The error names such tables.
func (s *Store) Refresh(ctx context.Context) error {
	tables := map[string]*table{}
	var gone []error
	for _, t := range mapping.Types() {
		o := s.objects[t]
		if o == nil {
			continue
		}
		tab, err := readTable(ctx, s.pool, o)
		if err == nil {
			tab.astray, err = astray(ctx, s.pool, o, s.objects)
		}
		switch {
		case errors.Is(err, ErrNoTable):
			s.veiled.CompareAndSwap(false, errors.Is(err, errHidden))
			gone = append(gone, err)
		case err != nil:
			return err
		default:
			tables[t] = tab
		}
	}
	if pool := s.Pool(); pool != nil && !errors.Is(errors.Join(gone...), errHidden) && s.veiled.Swap(false) {
		pool.Reset()
	}
	if s.renumbered(tables) {
		if err := s.meetMapping(ctx); err != nil {
			return err
		}
	}
	s.tables.Store(&tables)
	return errors.Join(gone...)
}

// renumbered reports whether columns came or went since the tables were last
// read: one that was dropped and made anew holds nothing that was agreed upon.
func (s *Store) renumbered(tables map[string]*table) bool {
	known := s.tableSet()
	for objectType, t := range tables {
		if before := known[objectType]; before != nil && !maps.Equal(before.nums, t.nums) {
			return true
		}
	}
	return false
}

// table gives a mapped table as it was last read; nil if it is not usable.
func (s *Store) table(objectType string) *table { return s.tableSet()[objectType] }

func (s *Store) tableSet() map[string]*table {
	if p := s.tables.Load(); p != nil {
		return *p
	}
	return nil
}

// usable lists the object types whose tables can be worked with.
func (s *Store) usable() []string { return slices.Sorted(maps.Keys(s.tableSet())) }

// Pool gives the pool to what shares it: River, health checks.
func (s *Store) Pool() *pgxpool.Pool {
	p, _ := s.pool.(*pgxpool.Pool)
	return p
}

// ConnectionID is the connection's number, which every key starts with.
func (s *Store) ConnectionID() int32 { return s.id }

// SetEnqueue names what wakes the workers; call it before the store is used.
func (s *Store) SetEnqueue(f func(ctx context.Context, tx pgx.Tx) error) { s.enqueue = f }

// SetWorker names the process in its claims, so that others can tell whether it
// still lives; call it before the store is used.
func (s *Store) SetWorker(name string) { s.worker = name }

// tx runs f in a transaction marked as the worker's own, so that the capture
// triggers pass over its writes. Deadlocks, serialization failures and lost
// races for a unique key are run again from the start.
// What others hold is waited for briefly, and then tried again.
func (s *Store) tx(ctx context.Context, f func(tx pgx.Tx) error) error {
	return s.repeated(ctx, func(err error) bool { return lostRace(err) || Code(err) == "55P03" }, f)
}

// patience is how long a transaction waits for a lock: it may hold others
// itself, for which users wait.
const patience = "1s"

// markOwn marks a transaction as the worker's own, and bounds its patience.
const markOwn = "SELECT set_config('closesync.origin', 'worker:' || session_user, true), set_config('lock_timeout', '" + patience + "', true)"

// own begins transactions that are marked. A pool does so in one message.
type own struct{ *Store }

// Begin satisfies pgx.BeginFunc.
func (o own) Begin(ctx context.Context) (pgx.Tx, error) {
	if pool := o.Pool(); pool != nil {
		return pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: "begin; " + markOwn})
	}
	tx, err := o.pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, markOwn); err != nil {
		return nil, errors.Join(err, tx.Rollback(ctx))
	}
	return tx, nil
}

func (s *Store) repeated(ctx context.Context, again func(error) bool, f func(tx pgx.Tx) error) error {
	for attempt := 0; ; attempt++ {
		err := pgx.BeginFunc(ctx, own{s}, f)
		if err != nil && attempt == 0 && schemaMoved(err) {
			// Another user's DDL: the next try works with the tables as they are.
			if err := s.Refresh(ctx); err != nil && !errors.Is(err, ErrNoTable) {
				return err
			}
			continue
		}
		if err == nil || attempt >= 8 || !again(err) {
			return err
		}
		if err := backOff(ctx, attempt); err != nil {
			return err
		}
	}
}

// insist runs what is one statement, and so a transaction of its own, again when
// it lost a race (fault C8).
func insist(ctx context.Context, f func() error) error {
	for attempt := 0; ; attempt++ {
		err := f()
		if err == nil || attempt >= 8 || !lostRace(err) {
			return err
		}
		if err := backOff(ctx, attempt); err != nil {
			return err
		}
	}
}

// backOff waits between two attempts, of which the losers should not meet again.
func backOff(ctx context.Context, attempt int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(rand.Int64N(int64(10*time.Millisecond) << attempt))):
		return nil
	}
}

// lazily has the commit of tx not wait for the disk. That is for what a crash of
// the server may undo as a whole, since it would be done again.
func lazily(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = off")
	return err
}

// lostRace reports whether a repetition may succeed. A unique key of a user's own
// table is no lost race: their rule refuses the row.
func lostRace(err error) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	switch pgErr.Code {
	case "40001", "40P01":
		return true
	case "23505":
		return pgErr.SchemaName == "closesync"
	}
	return false
}

// schemaMoved reports whether a statement met a table, a column or a type that
// is no longer what the catalogue said (faults C14, C15, C17).
func schemaMoved(err error) bool {
	switch Code(err) {
	case "42P01", "42703", "42804", "3F000", "0A000":
		return true
	}
	return false
}

// Code gives the SQLSTATE of an error, "" if it has none.
func Code(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}
