package live

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// kills is how often a worker is killed: 5 times, or CLOSESYNC_KILLS.
func kills(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("CLOSESYNC_KILLS"))
	if os.Getenv("CLOSESYNC_KILLS") == "" {
		return 5
	}
	require.NoError(t, err)
	return n
}

// soon waits for a moment that has nothing to do with what the worker does.
func soon(most time.Duration) { <-time.After(rand.N(most)) }

// A kill costs at most the pages that were in flight, 7 being read and 3 being
// stored, and a start some fixed ones: the search for what changed of
// 3 object types, and the cutting of what is left into windows again.
const (
	inFlight = 10
	perStart = 3 + 12
)

func (w *world) searches() int {
	n := 0
	for _, r := range w.requests() {
		if strings.Contains(r.Path, "data/search") {
			n++
		}
	}
	return n
}

func TestFault_S_KilledDuringTheFirstLoad(t *testing.T) {
	const leads = 5000
	calm := newWorld(t, leads)
	calm.run()
	calm.loaded()
	calm.worker.kill()

	w := newWorld(t, leads)
	n := kills(t)
	for i := range n {
		w.run()
		w.until("the load goes on", func() bool { return w.number("SELECT count(*) FROM crm.leads") >= leads*i/n })
		soon(100 * time.Millisecond)
		w.worker.kill()
	}
	w.run()
	w.loaded()
	w.Equal()
	require.Equal(t, leads, w.number("SELECT count(*) FROM crm.leads"))
	most := calm.searches() + n*(inFlight+perStart)
	t.Logf("%d kills, %d search requests; without any %d, at most %d", n, w.searches(), calm.searches(), most)
	require.LessOrEqual(t, w.searches(), most)
}

func TestFault_S_KilledUnderLocalEdits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 40)
	w.run()
	w.loaded()
	n := kills(t)
	before := len(w.List("lead"))
	made := 0
	for i := range n {
		for j := range 5 {
			made++
			w.SQL(`WITH l AS (INSERT INTO crm.leads (name) VALUES ($1) RETURNING id)
				INSERT INTO crm.contacts (lead_id, name) SELECT id, $1 || ' contact' FROM l`, fmt.Sprintf("Made %d", made))
			w.SQL("UPDATE crm.leads SET description = $1 WHERE id = $2", fmt.Sprintf("edit %d.%d", i, j), 1+(i*5+j)%40)
		}
		soon(60 * time.Millisecond)
		w.worker.kill()
		w.run()
	}
	w.until("at rest", w.idle)
	require.Len(t, w.List("lead"), before+made, "every insert is in Close once")
	w.Equal()
	require.Equal(t, 0, w.number("SELECT count(*) FROM closesync.record_status WHERE state NOT IN ('synced', 'deleted')"))
	seen := map[any]int{}
	for _, c := range w.List("contact") {
		seen[c["name"]]++
	}
	for i := 1; i <= made; i++ {
		require.Equal(t, 1, seen[fmt.Sprintf("Made %d contact", i)], "contact %d", i)
	}
}

func TestFault_S_KilledWhileStarting(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 300)
	for range kills(t) {
		w.run()
		soon(80 * time.Millisecond)
		w.worker.kill()
	}
	w.run()
	began := time.Now()
	w.loaded()
	t.Logf("loaded %s after the last kill", time.Since(began).Round(time.Millisecond))
	w.Equal()
}

// A kill may come at any moment of a start: in the migrations, the binding,
// the making of the subscription, the taking over of what is left.
func TestFault_D1_KilledAtAnyMomentOfAStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 300)
	for range 2 * kills(t) {
		w.spawn()
		soon(700 * time.Millisecond)
		w.worker.kill()
	}
	w.run()
	w.loaded()
	w.Equal()
	w.until("one subscription is kept", func() bool { return w.subscriptions() == 1 })
}
