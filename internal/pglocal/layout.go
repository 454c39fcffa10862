package pglocal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
)

// maxSocketPath is the longest Unix socket path: sun_path is 108 bytes with
// its closing zero on Linux, 104 on the BSDs and macOS.
const maxSocketPath = 103

// defaultPort only names the socket file (.s.PGSQL.5432) when TCP is off.
const defaultPort = 5432

// layout holds the absolute paths of one data folder.
type layout struct {
	dir      string // Options.DataDir
	cluster  string // the Postgres data directory itself
	socket   string // folder of the Unix socket
	log      string // what the server prints
	lock     string // locked for as long as the owner lives
	worker   string // locked for as long as a worker lives
	guests   string // share-locked by everybody who is attached
	binaries string // downloaded Postgres, if none is installed
}

// layoutOf lays out a folder that exists.
func layoutOf(dir string) (layout, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return layout{}, fmt.Errorf("pglocal: data folder %q: %w", dir, err)
	}
	// The leftover check compares with what the kernel says of a process.
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return layout{}, fmt.Errorf("pglocal: data folder: %w", err)
	}
	return layout{
		dir:      abs,
		cluster:  filepath.Join(abs, "postgres"),
		socket:   socketDir(abs),
		log:      filepath.Join(abs, "postgres.log"),
		lock:     filepath.Join(abs, "postgres.lock"),
		worker:   filepath.Join(abs, "worker.lock"),
		guests:   filepath.Join(abs, "guests.lock"),
		binaries: filepath.Join(abs, "postgres-binaries"),
	}, nil
}

// socketDir is dir/run, or a folder with a short name derived from dir where
// that path would be too long for a socket.
func socketDir(dir string) string {
	run := filepath.Join(dir, "run")
	if len(run)+len("/.s.PGSQL.65535") <= maxSocketPath {
		return run
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(shortTemp(), "closesync-"+hex.EncodeToString(sum[:8]))
}

// shortTemp avoids macOS's long per-user TMPDIR.
func shortTemp() string {
	if runtime.GOOS == "windows" {
		return os.TempDir()
	}
	return "/tmp"
}

// choosePort returns the port that names the socket and, if opened, TCP.
func choosePort(wanted int) (int, error) {
	if wanted < 0 || wanted > 65535 {
		return 0, fmt.Errorf("pglocal: port %d is not between 0 and 65535", wanted)
	}
	if wanted != 0 {
		return wanted, nil
	}
	if socketsSupported {
		return defaultPort, nil
	}
	return freePort()
}

// freePort is a TCP port nobody listened on a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("pglocal: find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
