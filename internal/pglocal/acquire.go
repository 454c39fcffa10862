package pglocal

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ownerPatience is how long Start waits for another owner: long enough for a
// stopping worker to finish, short enough for a person at a terminal.
const ownerPatience = 15 * time.Second

// poll is the pause between two looks at something another process changes.
const poll = 20 * time.Millisecond

// acquire either takes the folder's lock (s.lock is set) or, if allowed, finds
// the running server of its owner. It looks again until one of both works,
// because the owner may be just starting or just stopping. A worker waits for
// as long as another command has the server.
func (s *Server) acquire(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, ownerPatience)
	defer cancel()
	for told := false; ; {
		taken, waits, err := s.attempt(patience)
		if err != nil || taken {
			return err
		}
		if waits && !told {
			s.log.Info("waiting for another command to be done with the embedded postgres", "process", ownerOf(s.at.lock))
			told = true
		}
		wait := patience
		if waits {
			wait = ctx
		}
		if err := sleep(wait, poll); err != nil {
			return fmt.Errorf("pglocal: %s (process %s): %w", s.at.dir, ownerOf(s.at.lock), ErrInUse)
		}
	}
}

// attempt tries once. waits says that a command has the server, whose end is
// waited for.
func (s *Server) attempt(ctx context.Context) (taken, waits bool, err error) {
	others, err := s.workerElsewhere()
	if err != nil {
		return false, false, fmt.Errorf("pglocal: lock %s: %w", s.at.worker, err)
	}
	if !others || !s.opts.Attach {
		if s.lock, err = tryLock(s.at.lock); err != nil {
			return false, false, fmt.Errorf("pglocal: lock %s: %w", s.at.lock, err)
		}
		if s.lock != nil {
			noteOwner(s.lock)
			return true, false, nil
		}
	}
	if s.worker != nil {
		return false, true, nil
	}
	return s.opts.Attach && s.joins(ctx), false, nil
}

// joins reports whether the owner's server answers, and remembers its port.
func (s *Server) joins(ctx context.Context) bool {
	pid, ok := readPostmaster(s.at.cluster)
	if !ok || pid.port == 0 {
		return false
	}
	guest, err := shareLock(s.at.guests)
	if err != nil || guest == nil {
		return false // its owner is about to stop it
	}
	s.port = pid.port
	if !answers(ctx, s.DSN(Database)) {
		unlock(guest)
		return false
	}
	s.guest = guest
	return true
}

// answers reports whether one connection and one query work within a second.
func answers(ctx context.Context, dsn string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return conn.Ping(ctx) == nil
}

// noteOwner writes the process id for messages only; the lock itself decides.
func noteOwner(lock *os.File) {
	_ = lock.Truncate(0)
	_, _ = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
}

func ownerOf(path string) string {
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

// sleep waits for d or the end of ctx, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Abandoned reports whether a folder that Start once used has no owner now.
// A folder without a lock file is young rather than abandoned.
func Abandoned(dataDir string) bool {
	at, err := layoutOf(dataDir)
	if err != nil {
		return false
	}
	if _, err := os.Stat(at.lock); err != nil {
		return false
	}
	lock, err := tryLock(at.lock)
	if err != nil || lock == nil {
		return false
	}
	unlock(lock)
	return true
}
