package jobs

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// River itself would give the jobs of a killed worker back after
// RescueStuckJobsAfter, and until then no equal job could be queued: nothing
// would be followed for minutes. Claims would wait for the end of their lease.
// So each worker shows that it lives by an advisory lock of a session, which
// Postgres lets go of when the process dies (target T18).

// presenceLock is the first half of the lock's key; the second is the hash of
// the worker's name.
const presenceLock = 0x636c7077

// holders are the locks of the workers that live; $1 is presenceLock.
const holders = `SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.classid = $1::bigint::oid
	AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`

// holding is the part of holders' condition that picks the worker whose name
// the expression gives.
func holding(name string) string {
	return " AND l.objid = (hashtext(" + name + ")::bigint & 4294967295)::oid"
}

// present holds the lock of a worker on conn as long as that lives.
func present(ctx context.Context, conn *pgx.Conn, name string) error {
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock_shared($1, hashtext($2))", presenceLock, name); err != nil {
		return fmt.Errorf("jobs: presence: %w", err)
	}
	return nil
}

// Announce shows that a worker without jobs lives, such as a command that
// cycles by itself, until the function it returns is called.
func Announce(ctx context.Context, pool *pgxpool.Pool, name string) (func(), error) {
	conn, err := pgx.ConnectConfig(ctx, pool.Config().ConnConfig.Copy())
	if err != nil {
		return nil, fmt.Errorf("jobs: presence: %w", err)
	}
	leave := func() { _ = conn.Close(context.WithoutCancel(ctx)) }
	if err := present(ctx, conn, name); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// Lives reports whether any worker does, on whichever machine.
func Lives(ctx context.Context, pool *pgxpool.Pool) (lives bool, err error) {
	if err := pool.QueryRow(ctx, "SELECT EXISTS ("+holders+")", presenceLock).Scan(&lives); err != nil {
		return false, fmt.Errorf("jobs: presence: %w", err)
	}
	return lives, nil
}
