package live

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// held is what the worker holds: files with connections, and goroutines.
func (w *world) held() (files, goroutines int) {
	w.T.Helper()
	open, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(w.worker.cmd.Process.Pid), "fd"))
	require.NoError(w.T, err)
	_, body := w.fetch("/metrics")
	m := regexp.MustCompile(`(?m)^go_goroutines (\d+)$`).FindStringSubmatch(body)
	require.NotNil(w.T, m, body)
	goroutines, err = strconv.Atoi(m[1])
	require.NoError(w.T, err)
	return len(open), goroutines
}

// spare is what comes and goes: kept connections of the pool, of the client
// and of those who ask.
const spare = 25

func TestFault_D13_NothingLeaks(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("no /proc to count files in")
	}
	w := newWorld(t, 30)
	g := newGate(t, w.DSN)
	for i, v := range w.env {
		if v == "DATABASE_URL="+w.DSN {
			w.env[i] = "DATABASE_URL=" + g.dsn
		}
	}
	w.run()
	w.loaded()
	round := func(n int) {
		for i := range 5 {
			lead := w.closeID(1 + (5*n+i)%30)
			w.tell("update", map[string]any{"id": lead, "fields": map[string]any{"description": fmt.Sprintf("round %d.%d", n, i)}}, nil)
			w.SQL("UPDATE crm.contacts SET title = $1 WHERE id = $2", fmt.Sprintf("round %d", n), 1+(5*n+i)%30)
		}
		// What leaks mostly leaks where something fails.
		w.tell("fault", map[string]any{"path": "/lead/", "kind": "cut", "times": 2}, nil)
		w.tell("fault", map[string]any{"method": "PUT", "path": "/contact/", "kind": "cut_body", "n": 20, "times": 2}, nil)
		g.shut(true)
		g.shut(false)
		w.until("at rest", w.idle)
	}
	for n := range 3 { // what is made once and kept
		round(n)
	}
	files, goroutines := w.held()
	for n := range 10 {
		round(3 + n)
	}
	w.tell("faults", map[string]any{}, nil)
	w.until("no more than before", func() bool {
		f, g := w.held()
		return f <= files+spare && g <= goroutines+spare
	})
	f, r := w.held()
	t.Logf("files %d, then %d; goroutines %d, then %d, after 10 rounds of failures", files, f, goroutines, r)
	// What could not be delivered comes by the event log.
	w.until("both sides are equal", func() bool { return w.Diff() == "" })
}
