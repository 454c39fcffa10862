package pglocal

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func options(dir string) Options { return Options{DataDir: dir, FastUnsafe: true} }

// start skips where no Postgres is installed, except in CI.
func start(t *testing.T, opts Options) *Server {
	t.Helper()
	if len(installed(t.Context(), layout{binaries: t.TempDir()})) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("no Postgres installed; see scripts/install-postgres.sh")
		}
		t.Skip("no Postgres installed; see scripts/install-postgres.sh")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := Start(ctx, opts)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	return s
}

func query(t *testing.T, s *Server, sql string) (value string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.DSN(Database))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&value))
	return value
}

func TestStart_KeepsDataAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	s := start(t, options(dir))
	conn, err := pgx.Connect(t.Context(), s.DSN(Database))
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "CREATE TABLE kept AS SELECT 'here'::text AS v")
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	s.Stop()
	s.Stop() // twice is harmless

	again := start(t, options(dir))
	require.Equal(t, "here", query(t, again, "SELECT v FROM kept"))
	require.Empty(t, query(t, again, "SHOW listen_addresses"))
}

func TestStart_SecondOwnerAttachesOrIsRefused(t *testing.T) {
	dir := t.TempDir()
	owner := start(t, options(dir))

	attached, err := Start(t.Context(), Options{DataDir: dir, Attach: true})
	require.NoError(t, err)
	require.True(t, attached.Attached())
	require.Equal(t, owner.DSN("x"), attached.DSN("x"))
	attached.Stop()
	require.Equal(t, "up", query(t, owner, "SELECT 'up'"), "an attached Stop must leave the owner's server alone")

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = Start(ctx, options(dir))
	require.ErrorIs(t, err, ErrInUse)
}

// A command that began a moment before the worker neither keeps it waiting for
// long nor takes the server along when it ends.
func TestStart_AWorkerWaitsForACommandAndKeepsItsOwn(t *testing.T) {
	dir := t.TempDir()
	command := start(t, Options{DataDir: dir, FastUnsafe: true, Attach: true})
	require.False(t, command.ByWorker())
	guest, err := Start(t.Context(), Options{DataDir: dir, Attach: true})
	require.NoError(t, err)
	require.True(t, guest.Attached())
	require.False(t, guest.ByWorker())

	worker := make(chan *Server, 1)
	go func() {
		s, err := Start(t.Context(), Options{DataDir: dir, FastUnsafe: true, Attach: true, Worker: true})
		assert.NoError(t, err)
		worker <- s
	}()
	stopped := make(chan struct{})
	go func() {
		command.Stop()
		close(stopped)
	}()
	require.Equal(t, "up", query(t, guest, "SELECT 'up'"), "a command waits for those who joined it")
	select {
	case <-stopped:
		t.Fatal("the server was stopped under a guest")
	case <-worker:
		t.Fatal("the worker joined a server that will go")
	case <-time.After(100 * time.Millisecond):
	}
	guest.Stop()
	<-stopped
	w := <-worker
	t.Cleanup(w.Stop)
	require.False(t, w.Attached())
	require.True(t, w.ByWorker())

	late, err := Start(t.Context(), Options{DataDir: dir, Attach: true})
	require.NoError(t, err)
	t.Cleanup(late.Stop)
	require.True(t, late.Attached())
	require.True(t, late.ByWorker())
	w.Stop() // waits for nobody
}

func TestStart_RefusesAnotherMajorVersionAndKeepsTheFolder(t *testing.T) {
	dir := t.TempDir()
	cluster := filepath.Join(dir, "postgres")
	require.NoError(t, os.Mkdir(cluster, 0o700))
	precious := filepath.Join(cluster, "PG_VERSION")
	require.NoError(t, os.WriteFile(precious, []byte("9\n"), 0o600))

	_, err := locate(t.Context(), layout{cluster: cluster, binaries: filepath.Join(dir, "b")}, slog.New(slog.DiscardHandler))
	require.Error(t, err)
	require.FileExists(t, precious)
	if len(installed(t.Context(), layout{})) > 0 {
		require.ErrorIs(t, err, ErrVersion)
		require.ErrorContains(t, err, "Install Postgres 9")
	}
}

func TestStart_RefusesAFolderThatIsNoCluster(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "postgres", "photo.jpg")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorContains(t, mustBeAbsent(filepath.Dir(file)), "no complete cluster")
	require.FileExists(t, file)
}

func TestNoBinaries_NamesTheThreeRemedies(t *testing.T) {
	err := noBinaries(context.DeadlineExceeded)
	require.ErrorIs(t, err, ErrNoBinaries)
	for _, remedy := range []string{installCommand(), "docker compose up -d postgres", "DATABASE_URL"} {
		require.ErrorContains(t, err, remedy)
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]int{
		"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)": 15,
		"postgres (PostgreSQL) 18beta1":                        18,
		"postgres (EnterpriseDB) 9":                            0,
		"":                                                     0,
	} {
		_, major := parseVersion(text)
		require.Equal(t, want, major, text)
	}
}

func TestSocketDir_FitsASocketPath(t *testing.T) {
	long := "/"
	for range 20 {
		long = filepath.Join(long, "long-folder-name")
	}
	for _, dir := range []string{"/var/lib/closesync", long} {
		path := filepath.Join(socketDir(dir), ".s.PGSQL.65535")
		require.LessOrEqual(t, len(path), maxSocketPath, path)
	}
	require.NotEqual(t, socketDir(long), socketDir(long+"2"))
}
