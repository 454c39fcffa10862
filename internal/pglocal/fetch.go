package pglocal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// newestFetched is what a fresh folder gets when nothing is installed.
const newestFetched = 17

// fetchable are the releases the library knows, by major version.
var fetchable = map[int]embedded.PostgresVersion{
	14: embedded.V14, 15: embedded.V15, 16: embedded.V16, 17: embedded.V17, 18: embedded.V18,
}

// fetchTimeout bounds the download of about 20 MB.
const fetchTimeout = 5 * time.Minute

// fetchPrefix names the folders of downloads under way.
const fetchPrefix = "fetch-"

// unpack fills staging/postgres with a release.
type unpack func(ctx context.Context, staging string, version embedded.PostgresVersion) error

// fetch downloads a Postgres of the needed major version (0: any) by the
// embedded-postgres library and moves it to at.binaries. The library removes
// and fills the folders it is given as it likes, so it only ever sees a
// staging folder made for this one call, never the data. The caller holds the
// lock, so staging folders that are there belong to nobody.
func fetch(ctx context.Context, at layout, need int, log *slog.Logger, download unpack) (binaries, error) {
	if need == 0 {
		need = newestFetched
	}
	version, ok := fetchable[need]
	if !ok {
		return binaries{}, fmt.Errorf("no download of Postgres %d is known", need)
	}
	if err := os.MkdirAll(at.binaries, 0o755); err != nil {
		return binaries{}, err
	}
	sweep(filepath.Join(at.binaries, fetchPrefix+"*"))
	staging, err := os.MkdirTemp(at.binaries, fetchPrefix)
	if err != nil {
		return binaries{}, err
	}
	defer func() { _ = os.RemoveAll(staging) }()
	log.Info("no postgres installed; downloading one", "version", string(version))
	if err := download(ctx, staging, version); err != nil {
		return binaries{}, err
	}
	return adopt(ctx, at, staging, need)
}

// sweep removes what killed processes left in the making.
func sweep(pattern string) {
	left, _ := filepath.Glob(pattern)
	for _, dir := range left {
		_ = os.RemoveAll(dir)
	}
}

// download runs the library up to the point where the binaries are unpacked
// in staging/postgres. The library has no call for that alone: an encoding
// that does not exist makes its initdb fail before any server is started.
func download(ctx context.Context, staging string, version embedded.PostgresVersion) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	config := embedded.DefaultConfig().Version(version).Port(uint32(port)).
		CachePath(filepath.Join(staging, "cache")).
		RuntimePath(filepath.Join(staging, "postgres")).
		DataPath(filepath.Join(staging, "data")).
		Encoding("fetch-only").Logger(io.Discard)

	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	// The library takes no context; after a timeout its download goes on by
	// itself. What it still writes is swept by the next one.
	result := make(chan error, 1)
	go func() { result <- embedded.NewDatabase(config).Start() }()
	select {
	case err = <-result:
	case <-ctx.Done():
		return fmt.Errorf("download of Postgres %s: %w", version, ctx.Err())
	}
	unpacked := binaries{dir: filepath.Join(staging, "postgres", "bin")}
	if _, statErr := os.Stat(unpacked.path("postgres")); statErr != nil {
		return fmt.Errorf("download of Postgres %s: %w", version, err)
	}
	return nil
}

// adopt gives the unpacked release its lasting name. What has that name already
// did not run, or nothing would have been fetched.
func adopt(ctx context.Context, at layout, staging string, major int) (binaries, error) {
	unpacked := filepath.Join(staging, "postgres")
	// The server may run as another user than the one who unpacked.
	if err := os.Chmod(unpacked, 0o755); err != nil {
		return binaries{}, err
	}
	found := usable(ctx, []string{filepath.Join(unpacked, "bin")})
	if len(found) == 0 {
		return binaries{}, fmt.Errorf("the downloaded Postgres %d does not run here", major)
	}
	target := filepath.Join(at.binaries, strconv.Itoa(major))
	if err := os.RemoveAll(target); err != nil {
		return binaries{}, err
	}
	if err := os.Rename(unpacked, target); err != nil {
		return binaries{}, err
	}
	b := found[0]
	b.dir = filepath.Join(target, "bin")
	return b, nil
}
