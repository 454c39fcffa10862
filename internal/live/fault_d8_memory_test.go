package live

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// peak is the most memory that the worker has had, in MiB.
func (w *world) peak() int {
	w.T.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.worker.cmd.Process.Pid))
	require.NoError(w.T, err)
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	require.NotNil(w.T, m)
	kib, err := strconv.Atoi(string(m[1]))
	require.NoError(w.T, err)
	return kib >> 10
}

// The largest texts that Close takes, in pages of nothing else: what a worker
// needs for them is bounded, without a limit to its memory from outside, and
// being killed in the middle is a kill like any other.
func TestFault_D8_TheLargestRecordsInLittleMemory(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("no /proc to read a process's memory from")
	}
	const leads, most = 1000, 128
	w := newWorld(t, 0)
	large := closetest.New(closetest.Options{Seed: 408, Leads: leads, PadBytes: 64 << 10, NoHistory: true})
	base := large.Start(t)
	for i, v := range w.env {
		if strings.HasPrefix(v, "CLOSE_BASE_URL=") {
			w.env[i] = "CLOSE_BASE_URL=" + strings.TrimSuffix(base, "/")
		}
		if strings.HasPrefix(v, "CLOSE_API_KEY=") {
			w.env[i] = "CLOSE_API_KEY=" + large.Key()
		}
	}
	w.List = large.List
	w.run()
	w.until("the load is under way", func() bool { return w.number("SELECT count(*) FROM crm.leads") > leads/4 })
	first := w.peak()
	w.worker.kill()
	w.run()
	w.loaded()
	w.Equal()
	t.Logf("peak %d MiB until the kill, %d MiB after it, for %d MiB of text", first, w.peak(), leads*64/1024)
	require.Less(t, max(first, w.peak()), most)
}
