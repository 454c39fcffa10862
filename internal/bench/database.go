package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"closesync/internal/pglocal"
	"closesync/migrations"
)

// databases makes one fresh database for each group. Only those it made are
// dropped again.
type databases struct {
	url   string
	admin *pgx.Conn
	made  []string
	stop  func()
}

// openDatabases connects to DATABASE_URL, whose role must be allowed to create
// databases, or starts a server of its own in a temporary folder.
func openDatabases(ctx context.Context) (*databases, error) {
	url, stop := os.Getenv("DATABASE_URL"), func() {}
	if url == "" {
		dir, err := os.MkdirTemp("", "closesync-bench-")
		if err != nil {
			return nil, err
		}
		remove := func() { _ = os.RemoveAll(dir) }
		// For root the server runs as another user, who must get in.
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // see above
			remove()
			return nil, err
		}
		// Commit times tell when a row of the worker's became visible.
		pg, err := pglocal.Start(ctx, pglocal.Options{DataDir: dir, Settings: map[string]string{"track_commit_timestamp": "on"}})
		if err != nil {
			remove()
			return nil, err
		}
		url, stop = pg.DSN("postgres"), func() { pg.Stop(); remove() }
	}
	admin, err := pgx.Connect(ctx, url)
	if err != nil {
		stop()
		return nil, errors.New("the database does not answer")
	}
	return &databases{url: url, admin: admin, stop: stop}, nil
}

// fresh makes a migrated database and a pool as the worker has it.
func (d *databases) fresh(ctx context.Context) (*pgxpool.Pool, error) {
	name := fmt.Sprintf("closesync_bench_%d_%d", os.Getpid(), len(d.made))
	if _, err := d.admin.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return nil, err
	}
	d.made = append(d.made, name)
	// Parsed anew: the configuration of a connection in use is bound to it.
	config, err := pgxpool.ParseConfig(d.url)
	if err != nil {
		return nil, errors.New("the database URL is not understood") // the cause may quote it
	}
	config.ConnConfig.Database = name
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	config.MaxConns = 16
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := migrations.Up(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	// What making the schema wrote is not the measured work's to flush.
	_, err = pool.Exec(ctx, "CHECKPOINT")
	return pool, err
}

// settings names the server and what its figures hang on.
func (d *databases) settings(ctx context.Context) (string, error) {
	var list []string
	for _, name := range []string{"server_version", "fsync", "synchronous_commit", "shared_buffers"} {
		var value string
		if err := d.admin.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
			return "", err
		}
		list = append(list, name+" "+value)
	}
	return "Postgres " + strings.TrimPrefix(strings.Join(list, ", "), "server_version "), nil
}

func (d *databases) close(ctx context.Context) error {
	var problems []error
	for _, name := range d.made {
		_, err := d.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
		problems = append(problems, err)
	}
	problems = append(problems, d.admin.Close(ctx))
	d.stop()
	return errors.Join(problems...)
}
