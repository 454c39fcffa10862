// Package pglocal runs a private Postgres beside the program, for people who
// have no database at hand and for tests.
//
// The server belongs to the process that started it: it is reached through a
// Unix socket in a folder only its user may enter, it stops when the process
// stops, and also when the process is killed. Its data stays. Nothing in this
// package ever removes a data folder.
package pglocal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Database is the database that the first start creates.
const Database = "closesync"

// superuser is the role initdb makes. Authentication is "trust", because the
// socket's folder already decides who may connect.
const superuser = "postgres"

// ErrInUse means that another process owns the data folder and Options.Attach
// was not set, or that the owner did not answer.
var ErrInUse = errors.New("the data folder is in use by another process")

// Options say where and how the server runs. The zero value of every field
// but DataDir is usable.
type Options struct {
	// DataDir is our folder: the cluster lies in DataDir/postgres, beside its
	// socket, log and lock. It is created if missing.
	DataDir string
	// Port also opens TCP on 127.0.0.1. Zero means the Unix socket only,
	// except on Windows, where zero means a free port. Whoever can connect to
	// the port is superuser.
	Port int
	// FastUnsafe gives up durability for speed (fsync off). For tests only.
	FastUnsafe bool
	// Attach joins a server that another process already runs on DataDir. Its
	// Stop then leaves that server alone, and the Stop of an owner with Attach
	// waits for those who joined. Without it Start waits a little for the other
	// process to end and returns ErrInUse.
	Attach bool
	// Worker says that this process lives longer than others: it joins the
	// server of another worker only, waits for the rest to end, and stops
	// without waiting for those who joined it.
	Worker bool
	// Settings override the server's settings by name, as in postgresql.conf.
	Settings map[string]string
	// Logger hears of starts, stops and crashes. Nil means silence.
	Logger *slog.Logger
}

// Server is a running Postgres. Its methods may be called concurrently.
type Server struct {
	opts Options
	at   layout
	bin  binaries
	who  identity
	port int
	log  *slog.Logger

	lock    *os.File // nil: attached, the server is another process's
	worker  *os.File // with Options.Worker, unless another worker has it
	guest   *os.File // of an attached server
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once
}

// Start brings up the server of opts.DataDir and returns when it answers.
// A server left behind by a killed process is waited for first. If the server
// dies later without Stop, it is started again. Errors name what to do.
func Start(ctx context.Context, opts Options) (*Server, error) {
	s, err := newServer(opts)
	if err != nil {
		return nil, err
	}
	if err := s.acquire(ctx); err != nil {
		s.release()
		return nil, err
	}
	if s.lock == nil {
		return s, nil
	}
	if err := s.bringUp(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// newServer lays out the folder and resolves what needs no waiting.
func newServer(opts Options) (*Server, error) {
	if opts.DataDir == "" {
		return nil, errors.New("pglocal: no data folder given")
	}
	log := opts.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	// Made first: the layout is that of the folder behind links, which the next
	// process would find at another place otherwise.
	if err := os.MkdirAll(opts.DataDir, 0o755); err != nil {
		return nil, fmt.Errorf("pglocal: data folder: %w", err)
	}
	at, err := layoutOf(opts.DataDir)
	if err != nil {
		return nil, err
	}
	return &Server{
		opts: opts, at: at, log: log,
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}, nil
}

// bringUp does everything between holding the lock and a usable database.
func (s *Server) bringUp(ctx context.Context) error {
	close(s.stopped) // until supervise runs there is nothing to wait for
	var err error
	if s.who, err = identityFor(s.at.cluster); err != nil {
		return err
	}
	if s.bin, err = locate(ctx, s.at, s.log); err != nil {
		return err
	}
	if s.port, err = choosePort(s.opts.Port); err != nil {
		return err
	}
	if err := s.initCluster(ctx); err != nil {
		return err
	}
	if err := s.who.makeDir(s.at.socket, 0o700); err != nil {
		return err
	}
	started := time.Now()
	s.stopped = make(chan struct{})
	first := make(chan error, 1)
	go s.supervise(first)
	if err := s.awaitReady(ctx, first); err != nil {
		return err
	}
	if err := s.createDatabase(ctx); err != nil {
		return err
	}
	s.log.Info("embedded postgres ready", "version", s.bin.version, "data", s.at.cluster,
		"socket", s.at.socket, "took", time.Since(started).Round(time.Millisecond))
	return nil
}

// DSN is the connection URL of a database of this server.
func (s *Server) DSN(db string) string {
	query := url.Values{"sslmode": {"disable"}}
	if socketsSupported {
		query.Set("host", s.at.socket)
	} else {
		query.Set("host", "127.0.0.1")
	}
	query.Set("port", strconv.Itoa(s.port))
	u := url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/" + db, RawQuery: query.Encode()}
	return u.String()
}

// Attached reports whether the server belongs to another process.
func (s *Server) Attached() bool { return s.lock == nil }

// Stop ends the server as a fast shutdown does (open transactions roll back)
// and returns when it is gone. It may be called twice. On an attached server
// it only says that we have left.
func (s *Server) Stop() {
	s.once.Do(func() {
		defer s.release()
		if s.lock == nil {
			return
		}
		if s.opts.Attach && !s.opts.Worker {
			defer s.seeOff()()
		}
		close(s.stop)
		<-s.stopped
	})
}

// release gives back every lock that is held.
func (s *Server) release() {
	for _, f := range []*os.File{s.lock, s.guest, s.worker} {
		if f != nil {
			unlock(f)
		}
	}
}

// createDatabase makes Database unless it is there.
func (s *Server) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return fmt.Errorf("pglocal: connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var exists bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", Database).Scan(&exists)
	if err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{Database}.Sanitize())
	return err
}

// DefaultDataDir is where the data lies unless the user says otherwise: the
// user's state folder; for root /var/lib/closesync, because the server runs as
// another user, who cannot enter root's home.
func DefaultDataDir() (string, error) {
	if runsAsRoot() {
		return "/var/lib/closesync", nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "closesync"), nil
	}
	return stateDir()
}
