package live

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// fullPipe is a pipe into which not one more byte goes.
func fullPipe(t *testing.T) (read, write *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = read.Close(); _ = write.Close() })
	fd := int(write.Fd()) // which also makes it block, for the process that gets it
	require.NoError(t, syscall.SetNonblock(fd, true))
	for _, chunk := range [][]byte{make([]byte, 4096), make([]byte, 1)} {
		for err == nil {
			_, err = syscall.Write(fd, chunk)
		}
		require.ErrorIs(t, err, syscall.EAGAIN)
		err = nil
	}
	require.NoError(t, syscall.SetNonblock(fd, false))
	return read, write
}

func TestFault_D14_NobodyReadsTheLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	read, write := fullPipe(t)
	w.worker = startLogging(t, write, append(w.env, "CLOSESYNC_LOG_LEVEL=debug"), "run")
	w.answers()
	w.loaded()
	w.SQL("UPDATE crm.leads SET name = 'With a full log' WHERE id = 1")
	w.until("an edit here arrives", func() bool { return w.closeField("lead", w.closeID(1), "name") == "With a full log" })

	// Now even its reader goes away.
	require.NoError(t, read.Close())
	require.NoError(t, write.Close())
	w.SQL("UPDATE crm.leads SET name = 'With a broken log' WHERE id = 1")
	w.until("an edit here arrives", func() bool { return w.closeField("lead", w.closeID(1), "name") == "With a broken log" })
	w.until("at rest", w.idle)
	w.Equal()
	w.worker.end(syscall.SIGTERM)
	require.Equal(t, 0, w.worker.cmd.ProcessState.ExitCode())
}

// closeID is the Close id of a row of crm.leads.
func (w *world) closeID(id int) string {
	w.T.Helper()
	return w.Get("SELECT close_id FROM crm.leads WHERE id = $1", id)
}
