//go:build unix

package live

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// beside is a second worker of the same database, with an address of its own.
// Close's webhooks go on to the first.
func (w *world) beside() *world {
	w.T.Helper()
	other := *w
	other.listen = freeAddress(w.T.(*testing.T))
	other.env = append(append([]string{}, w.env...), "CLOSESYNC_LISTEN="+other.listen)
	return &other
}

// twoUnderLoad are two workers of one database while both sides are edited.
func twoUnderLoad(t *testing.T) (two []*world, stop func()) {
	t.Helper()
	w := newWorld(t, 40)
	w.run()
	w.loaded()
	two = []*world{w, w.beside()}
	two[1].run()
	b, end := underLoad(t, w)
	return two, func() {
		t.Helper()
		end()
		b.settled(t)
		require.Zero(t, b.refused, "the server lived")
	}
}

// atWork waits until some record is in the hands of a worker.
func (w *world) atWork() {
	w.T.Helper()
	w.until("there is work in hand", func() bool { return w.number("SELECT count(*) FROM closesync.intents WHERE state = 'open'") > 0 })
}

func TestFault_D5_OneOfTwoKilledUnderLoad(t *testing.T) {
	t.Parallel()
	two, stop := twoUnderLoad(t)
	for i := range kills(t) {
		two[0].atWork()
		soon(60 * time.Millisecond)
		two[i%2].worker.kill()
		two[i%2].run()
	}
	stop()
}

// A worker that is stopped and wakes up again believes that it still has what
// the other one took over long ago.
func TestFault_D5_OneOfTwoStoppedUnderLoad(t *testing.T) {
	t.Parallel()
	two, stop := twoUnderLoad(t)
	for i := range stops(t) {
		two[0].atWork()
		soon(60 * time.Millisecond)
		sleeper := two[i%2].worker.cmd.Process
		require.NoError(t, sleeper.Signal(syscall.SIGSTOP))
		soon(time.Second)
		if stopped := time.Now(); long() {
			two[0].until("its claims have run out", func() bool { return time.Since(stopped) > 70*time.Second })
		}
		require.NoError(t, sleeper.Signal(syscall.SIGCONT))
	}
	stop()
}

// stops is how often a worker is stopped: once, or five times if the test may be
// long.
func stops(t *testing.T) int {
	t.Helper()
	if long() {
		return max(1, kills(t)/10)
	}
	return 1
}

// long says that a stop may outlast a claim, which takes a minute.
func long() bool { return os.Getenv("CLOSESYNC_KILLS") != "" }
