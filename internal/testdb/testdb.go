// Package testdb gives each test a Postgres database of its own.
//
// The server comes from, in this order: TEST_DATABASE_URL; a private server
// started from the binaries on this machine, one per test process; a
// container. Without any of them the test is skipped aloud, with CI set it
// fails. A database is a copy of a template that is migrated once per process,
// which takes about 40 ms, and is dropped when its test ends.
package testdb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTimeout bounds everything before a test has its database; pulling a
// container image may take minutes.
const startTimeout = 5 * time.Minute

// New returns the URL of a fresh, empty database.
func New(t testing.TB) string {
	t.Helper()
	return NewWith(t, "", nil)
}

// NewWith returns the URL of a fresh copy of the template of that name. The
// first call in a process makes the template by prepare, which gets the URL of
// an empty database, typically to migrate it. Two calls with one name must
// mean the same prepare. Safe for parallel tests.
func NewWith(t testing.TB, template string, prepare func(ctx context.Context, dsn string) error) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	s, err := current(ctx)
	if err != nil {
		missing(t, err)
	}
	source, err := s.template(ctx, template, prepare)
	if err != nil {
		t.Fatalf("testdb: template %q: %v", template, err)
	}
	name := s.nextName()
	if err := s.create(ctx, name, source); err != nil {
		t.Fatalf("testdb: %v", err)
	}
	t.Cleanup(func() {
		if err := s.drop(name); err != nil {
			t.Errorf("testdb: drop %s: %v", name, err)
		}
	})
	return s.dsn(name)
}

// missing ends a test for which there is no database.
func missing(t testing.TB, err error) {
	t.Helper()
	text := fmt.Sprintf("NO DATABASE, TEST NOT RUN: %v. Remedies: scripts/install-postgres.sh; start Docker; set TEST_DATABASE_URL", err)
	if os.Getenv("CI") != "" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// server is where this process's databases live.
type server struct {
	dsn   func(database string) string
	close func()

	mu    sync.Mutex
	admin *pgx.Conn // its session lock marks our databases as used
	token string    // part of the names of all our databases
	count int
	ready map[string]*template
}

// template is made once; err is then everybody's.
type template struct {
	once sync.Once
	err  error
}

// template returns the database to copy: "" stands for an empty one.
func (s *server) template(ctx context.Context, name string, prepare func(context.Context, string) error) (string, error) {
	if prepare == nil {
		return "", nil
	}
	s.mu.Lock()
	t, ok := s.ready[name]
	if !ok {
		t = &template{}
		s.ready[name] = t
	}
	s.mu.Unlock()
	sum := sha256.Sum256([]byte(name))
	database := namePrefix + s.token + "_t_" + hex.EncodeToString(sum[:6])
	t.once.Do(func() {
		if t.err = s.create(ctx, database, ""); t.err != nil {
			return
		}
		if t.err = prepare(ctx, s.dsn(database)); t.err != nil {
			return
		}
		t.err = s.seal(ctx, database)
	})
	return database, t.err
}

// seal closes a template to connections: Postgres copies only a database that
// nobody uses.
func (s *server) seal(ctx context.Context, database string) error {
	err := s.exec(ctx, "ALTER DATABASE "+quote(database)+" WITH ALLOW_CONNECTIONS false")
	if err != nil {
		return err
	}
	return s.exec(ctx, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '"+database+"'")
}

func (s *server) create(ctx context.Context, name, source string) error {
	sql := "CREATE DATABASE " + quote(name)
	if source != "" {
		sql += " TEMPLATE " + quote(source)
	}
	if copiesFiles(s.admin.PgConn().ParameterStatus("server_version")) {
		sql += " STRATEGY file_copy"
	}
	return s.exec(ctx, sql)
}

// copiesFiles reports whether a server has to be told to copy a template's
// files, as those before 15 always do: writing all of it to the log, the default
// since, takes three times as long, and so does the drop after it.
func copiesFiles(version string) bool {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 15
}

func (s *server) drop(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s.exec(ctx, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)")
}

func (s *server) exec(ctx context.Context, sql string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.admin.Exec(ctx, sql)
	return err
}

func (s *server) nextName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	return fmt.Sprintf("%s%s_%d", namePrefix, s.token, s.count)
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
