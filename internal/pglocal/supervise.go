package pglocal

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// restartPauses are the waits before a server that died by itself is started
// again; the last one repeats. A run longer than calmAfter starts over.
var restartPauses = []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second}

const calmAfter = time.Minute

// maxLog is the size at which the server's log is moved aside at a start.
const maxLog = 10 << 20

// supervise runs the server until Stop. The result of the first launch goes to
// first once it is known to have failed; success is seen by connecting.
//
// Start and wait happen in one locked thread, because on Linux the parent
// death signal is sent when the starting *thread* ends, not the process.
func (s *Server) supervise(first chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.stopped)
	for failures := 0; ; failures++ {
		began := time.Now()
		err := s.runOnce()
		if s.stopping() {
			return
		}
		select {
		case first <- err:
		default: // said once already; by now nobody listens
		}
		if time.Since(began) > calmAfter {
			failures = 0
		}
		pause := restartPauses[min(failures, len(restartPauses)-1)]
		s.log.Error("embedded postgres ended by itself; starting it again", "error", err, "in", pause)
		select {
		case <-s.stop:
			return
		case <-time.After(pause):
		}
	}
}

func (s *Server) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// runOnce clears what an earlier server left, launches one and waits for its
// end, which Stop brings about.
func (s *Server) runOnce() error {
	if err := clearLeftovers(s.at, s.log, s.stop); err != nil {
		return err
	}
	logFile, err := openLog(s.at.log)
	if err != nil {
		return err
	}
	defer func() { _ = logFile.Close() }()
	cmd, reach, err := s.command(logFile)
	if err != nil {
		return err
	}
	defer reach.close()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	release := guard(cmd)
	defer release()
	ended := make(chan struct{})
	go s.stopOnRequest(cmd, ended)
	err = cmd.Wait()
	close(ended)
	if err == nil {
		err = fmt.Errorf("postgres exited")
	}
	return fmt.Errorf("%w: %s", err, tailOf(s.at.log))
}

// command prepares the server's process.
func (s *Server) command(logFile *os.File) (*exec.Cmd, reach, error) {
	dirs := []string{s.at.cluster}
	if socketsSupported {
		dirs = append(dirs, s.at.socket)
	}
	r, err := s.who.reach(dirs...)
	if err != nil {
		return nil, reach{}, err
	}
	args := arguments(s.opts, r.paths[0], r.paths[len(r.paths)-1], s.port)
	cmd := exec.Command(s.bin.path("postgres"), args...)
	cmd.Dir = string(filepath.Separator)
	cmd.Env = serverEnv(s.bin)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.ExtraFiles = r.files
	s.who.apply(cmd)
	dieWithParent(cmd)
	return cmd, r, nil
}

// stopOnRequest ends the server in three ever ruder ways.
func (s *Server) stopOnRequest(cmd *exec.Cmd, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-s.stop:
	}
	for _, end := range []func(*exec.Cmd){s.fastShutdown, s.immediateShutdown} {
		end(cmd)
		select {
		case <-ended:
			return
		case <-time.After(20 * time.Second):
		}
	}
	_ = cmd.Process.Kill()
}

// awaitReady returns when the server answers, however long its recovery
// takes, or with its error when it ended, or with that of ctx.
func (s *Server) awaitReady(ctx context.Context, first <-chan error) error {
	said := time.Now()
	for {
		select {
		case err := <-first:
			return fmt.Errorf("pglocal: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("pglocal: waiting for postgres: %w", ctx.Err())
		case <-time.After(poll):
		}
		if answers(ctx, s.DSN("postgres")) {
			return nil
		}
		if time.Since(said) > 5*time.Second {
			said = time.Now()
			s.log.Info("embedded postgres is recovering", "log", s.at.log)
		}
	}
}

// openLog appends, so that the reason of a crash survives the restart.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		_ = os.Rename(path, path+".1")
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}

// tailOf is the end of the server's log, for an error.
func tailOf(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return lastLines(strings.ToValidUTF8(string(text[max(0, len(text)-2000):]), "?"), 4)
}
