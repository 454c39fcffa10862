package testdb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// namePrefix starts the name of every database made here.
const namePrefix = "closesync_test_"

var (
	sourceMu  sync.Mutex
	source    *server
	errSource error
)

// current is this process's server, started by the first call. A failure is
// remembered, so that a thousand tests do not wait a thousand times.
func current(ctx context.Context) (*server, error) {
	sourceMu.Lock()
	defer sourceMu.Unlock()
	if source == nil && errSource == nil {
		source, errSource = open(ctx)
	}
	return source, errSource
}

// way is a way to get a server.
type way func(context.Context) (*server, error)

// open tries the sources in order. A TEST_DATABASE_URL that does not work is
// an error and not passed over, since somebody meant it.
func open(ctx context.Context) (*server, error) {
	if given := os.Getenv("TEST_DATABASE_URL"); given != "" {
		s, err := connect(ctx, given, func(db string) string { return withDatabase(given, db) }, func() {})
		if err != nil {
			return nil, fmt.Errorf("TEST_DATABASE_URL: %w", err)
		}
		return s, s.sweep(ctx)
	}
	return firstOf(ctx, openLocal, openContainer)
}

// firstOf takes the first way that works, or says why none does.
func firstOf(ctx context.Context, ways ...way) (*server, error) {
	var why error
	for _, open := range ways {
		s, err := open(ctx)
		if err == nil {
			return s, nil
		}
		why = errors.Join(why, err)
	}
	return nil, why
}

// connect opens the administrative connection to a server.
func connect(ctx context.Context, admin string, dsn func(string) string, end func()) (*server, error) {
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		end()
		return nil, err
	}
	s := &server{dsn: dsn, close: end, admin: conn, token: strings.ToLower(rand.Text()[:10]), ready: map[string]*template{}}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", lockKey(s.token)); err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		end()
		return nil, err
	}
	return s, nil
}

// lockKey is the session lock that says "the process of this token lives".
func lockKey(token string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(namePrefix + token))
	return int64(h.Sum64())
}

// sweep drops databases of processes that died before they could: a lasting
// server would fill up otherwise.
func (s *server) sweep(ctx context.Context) error {
	rows, err := s.admin.Query(ctx, "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", namePrefix)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		token, _, _ := strings.Cut(strings.TrimPrefix(name, namePrefix), "_")
		var free bool
		if token == s.token {
			continue
		}
		if err := s.admin.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", lockKey(token)).Scan(&free); err != nil {
			return err
		}
		if !free {
			continue
		}
		// Another process may sweep, too; whoever comes second finds nothing.
		_, _ = s.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)")
		if _, err := s.admin.Exec(ctx, "SELECT pg_advisory_unlock($1)", lockKey(token)); err != nil {
			return err
		}
	}
	return nil
}

// withDatabase replaces the database of a connection string of either form.
func withDatabase(dsn, database string) string {
	if u, err := url.Parse(dsn); err == nil && strings.HasPrefix(u.Scheme, "postgres") {
		u.Path = "/" + database
		return u.String()
	}
	return dsn + " dbname=" + database
}
