// Package migrations holds the schema as numbered pairs of SQL files and runs
// them, River's own migrations beside them.
package migrations

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed *.sql
var files embed.FS

// RiverSchema is where River keeps its tables.
const RiverSchema = "river"

// Status is one migration and whether it is applied.
type Status struct {
	Version int64
	Name    string
	Applied bool
}

// Up brings the schema to the newest version. It may run twice and in several
// processes at once: a session lock lets one go first.
func Up(ctx context.Context, pool *pgxpool.Pool) error {
	if _, err := pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS closesync; CREATE SCHEMA IF NOT EXISTS "+RiverSchema); err != nil && !racedCreate(err) {
		return fmt.Errorf("migrations.Up: %w", err)
	}
	err := withProvider(pool, func(p *goose.Provider) error {
		_, err := p.Up(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("migrations.Up: %w", err)
	}
	return riverUp(ctx, pool)
}

// Down takes back the last migration.
func Down(ctx context.Context, pool *pgxpool.Pool) error {
	return withProvider(pool, func(p *goose.Provider) error {
		_, err := p.Down(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return errors.New("no migration is left to take back")
		}
		return err
	})
}

// List tells which migrations are applied. It writes nothing.
func List(ctx context.Context, pool *pgxpool.Pool) ([]Status, error) {
	var begun bool
	if err := pool.QueryRow(ctx, "SELECT to_regclass('closesync.schema_version') IS NOT NULL").Scan(&begun); err != nil {
		return nil, err
	}
	var list []Status
	if !begun {
		for version, name := range names() {
			list = append(list, Status{Version: version, Name: name})
		}
		slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.Version, b.Version) })
		return list, nil
	}
	err := withProvider(pool, func(p *goose.Provider) error {
		states, err := p.Status(ctx)
		for _, s := range states {
			name := s.Source.Path
			if n, ok := names()[s.Source.Version]; ok {
				name = n
			}
			list = append(list, Status{s.Source.Version, name, s.State == goose.StateApplied})
		}
		return err
	})
	return list, err
}

func riverUp(ctx context.Context, pool *pgxpool.Pool) error {
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: RiverSchema, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	// River's migrator takes no lock of its own against a second process.
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext('closesync.river'))"); err != nil {
		return err
	}
	defer func() { _, _ = conn.Exec(ctx, "SELECT pg_advisory_unlock(hashtext('closesync.river'))") }()
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("river migrations: %w", err)
	}
	return nil
}

func withProvider(pool *pgxpool.Pool, do func(*goose.Provider) error) error {
	db := stdlib.OpenDBFromPool(pool)
	defer func() { _ = db.Close() }()
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	store, err := database.NewStore(database.DialectPostgres, "closesync.schema_version")
	if err != nil {
		return err
	}
	all, err := goMigrations()
	if err != nil {
		return err
	}
	p, err := goose.NewProvider("", db, nil, goose.WithStore(store), goose.WithGoMigrations(all...),
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	return do(p)
}

// goMigrations turns each pair of files into one migration in one transaction.
func goMigrations() ([]*goose.Migration, error) {
	var all []*goose.Migration
	for version, name := range names() {
		up, err := runFile(name + ".up.sql")
		if err != nil {
			return nil, err
		}
		down, err := runFile(name + ".down.sql")
		if err != nil {
			return nil, err
		}
		all = append(all, goose.NewGoMigration(version, &goose.GoFunc{RunTx: up}, &goose.GoFunc{RunTx: down}))
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Version < all[j].Version })
	return all, nil
}

func names() map[int64]string {
	found := map[int64]string{}
	ups, _ := fs.Glob(files, "*.up.sql")
	for _, f := range ups {
		number, _, _ := strings.Cut(f, "_")
		if v, err := strconv.ParseInt(number, 10, 64); err == nil {
			found[v] = strings.TrimSuffix(f, ".up.sql")
		}
	}
	return found
}

func runFile(name string) (func(context.Context, *sql.Tx) error, error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, string(text), pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}, nil
}
