//go:build unix

package live

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"closesync/internal/pglocal"
)

// mortal is a Postgres that a test may kill. Its launcher starts it again,
// after a pause that grows to five seconds. What it committed is on the disk:
// a server without fsync promises nothing that a kill could break.
type mortal struct {
	*pglocal.Server
	t   *testing.T
	dir string
}

func newMortal(t *testing.T) *mortal {
	t.Helper()
	m := &mortal{t: t, dir: t.TempDir()}
	var err error
	m.Server, err = pglocal.Start(t.Context(), pglocal.Options{DataDir: m.dir, Settings: map[string]string{"shared_buffers": "64MB"}})
	require.NoError(t, err)
	t.Cleanup(m.Stop)
	return m
}

// postmaster is the number of the server's first process.
func (m *mortal) postmaster() int {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.dir, "postgres", "postmaster.pid"))
	if os.IsNotExist(err) {
		return 0
	}
	require.NoError(m.t, err)
	first, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(first) // half written: 0
	return pid
}

// die ends the server without a last checkpoint, by SIGKILL or as
// `pg_ctl stop -m immediate` does.
func (m *mortal) die(signal syscall.Signal) (pid int) {
	m.t.Helper()
	pid = m.postmaster()
	require.Positive(m.t, pid)
	require.NoError(m.t, syscall.Kill(pid, signal))
	return pid
}

// bothSides edits leads here and in Close, and makes new ones on both sides,
// while the server comes and goes. Each side has a field of its own, so that
// nobody's edit has a rival.
type bothSides struct {
	w       *world
	leads   []string       // Close ids of those that are edited
	wrote   map[string]int // by lead: the last description whose commit was told
	named   map[string]int // by lead: the last name given in Close
	made    map[int]bool   // here; false: the answer to the commit was lost
	made2   int            // in Close
	refused int            // statements that the dead server did not answer
}

// here writes by SQL until it is told to stop.
func (b *bothSides) here(stop <-chan struct{}) error {
	ctx := context.Background()
	for n := 1; paced(stop); n++ {
		lead := b.leads[n%len(b.leads)]
		if _, err := b.w.Pool.Exec(ctx, "UPDATE crm.leads SET description = $2 WHERE close_id = $1", lead, fmt.Sprint("here ", n)); err != nil {
			b.refused++
		} else {
			b.wrote[lead] = n
		}
		if n%4 == 0 {
			_, err := b.w.Pool.Exec(ctx, `WITH l AS (INSERT INTO crm.leads (name) VALUES ($1) RETURNING id)
				INSERT INTO crm.contacts (lead_id, name) SELECT id, $1 FROM l`, fmt.Sprint("Made here ", n))
			b.made[n] = err == nil
		}
	}
	return nil
}

// there edits in Close until it is told to stop.
func (b *bothSides) there(stop <-chan struct{}) error {
	for n := 1; paced(stop); n++ {
		lead := b.leads[n%len(b.leads)]
		b.w.tell("update", map[string]any{"id": lead, "fields": map[string]any{"name": fmt.Sprint("There ", n)}}, nil)
		b.named[lead] = n
		if n%4 == 0 {
			b.made2++
			b.w.tell("create", map[string]any{"object_type": "lead", "fields": map[string]any{"name": fmt.Sprint("Made there ", b.made2)}}, nil)
		}
	}
	return nil
}

// paced waits for the next edit; false says that it is not to be made.
func paced(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return false
	case <-time.After(15 * time.Millisecond):
		return true
	}
}

// check demands that every edit is where it belongs, once.
func (b *bothSides) check(t *testing.T) {
	t.Helper()
	inClose, contacts := map[any]int{}, map[any]int{}
	for _, l := range b.w.List("lead") {
		inClose[l["name"]]++
		id := l["id"].(string)
		if n := b.named[id]; n > 0 {
			require.Equal(t, fmt.Sprint("There ", n), l["name"])
		}
		if n := b.wrote[id]; n > 0 {
			text, _ := l["description"].(string)
			last, err := strconv.Atoi(strings.TrimPrefix(text, "here "))
			require.NoError(t, err, text)
			require.GreaterOrEqual(t, last, n, "a later edit may have been committed without an answer, an older one may not be back")
		}
	}
	for _, c := range b.w.List("contact") {
		contacts[c["name"]]++
	}
	for n, told := range b.made {
		name := fmt.Sprint("Made here ", n)
		if told {
			require.Equal(t, 1, b.w.number("SELECT count(*) FROM crm.leads WHERE name = $1", name), name)
		}
		rows := b.w.number("SELECT count(*) FROM crm.leads WHERE name = $1", name)
		require.Equal(t, rows, inClose[name], name)
		require.Equal(t, rows, contacts[name], name)
	}
	for n := 1; n <= b.made2; n++ {
		name := fmt.Sprint("Made there ", n)
		require.Equal(t, 1, inClose[name], name)
		require.Equal(t, 1, b.w.number("SELECT count(*) FROM crm.leads WHERE name = $1", name), name)
	}
}

// underLoad starts edits on both sides, which stop ends.
func underLoad(t *testing.T, w *world) (b *bothSides, stop func()) {
	t.Helper()
	b = &bothSides{w: w, wrote: map[string]int{}, named: map[string]int{}, made: map[int]bool{}}
	for _, l := range w.List("lead") {
		b.leads = append(b.leads, l["id"].(string))
	}
	end := make(chan struct{})
	var load errgroup.Group
	load.Go(func() error { return b.here(end) })
	load.Go(func() error { return b.there(end) })
	return b, func() {
		t.Helper()
		close(end)
		require.NoError(t, load.Wait())
	}
}

// settled demands that, after the load, all comes to where it belongs, once.
func (b *bothSides) settled(t *testing.T) {
	t.Helper()
	ended := time.Now()
	b.w.until("both sides are equal", func() bool { return b.w.idle() && b.w.Diff() == "" })
	t.Logf("made %d here and %d there; equal %s after the load ended", len(b.made), b.made2, time.Since(ended).Round(time.Millisecond))
	b.w.Equal()
	b.check(t)
	require.Equal(t, 0, b.w.number("SELECT count(*) FROM closesync.record_status WHERE state NOT IN ('synced', 'deleted')"))
	require.Equal(t, 0, b.w.number("SELECT count(*) FROM closesync.conflicts"), "no two edits were rivals")
}

func TestFault_C2_PostgresKilledUnderLoad(t *testing.T) {
	t.Parallel()
	m := newMortal(t)
	w := newWorldOn(t, m.DSN(pglocal.Database), 40)
	w.run()
	w.loaded()
	b, stop := underLoad(t, w)
	n := kills(t)
	for i := range n {
		w.atWork()
		soon(60 * time.Millisecond)
		was := m.die([]syscall.Signal{syscall.SIGKILL, syscall.SIGQUIT}[i%2])
		w.until("the server is back", func() bool { now := m.postmaster(); return now != 0 && now != was && w.number("SELECT 1") == 1 })
	}
	stop()
	b.settled(t)
	select {
	case <-w.worker.ended:
		t.Fatal("the worker ended by itself")
	default:
	}
	require.Positive(t, b.refused, "the kills met the programs")
	t.Logf("%d kills, %d statements refused", n, b.refused)
}
