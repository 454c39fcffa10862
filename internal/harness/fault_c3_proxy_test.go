package harness

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"closesync/sync/closetest"
)

// forgetful is a way to Postgres on which the answers to some COMMITs are lost
// with the connection: Postgres has committed, and the worker does not know.
type forgetful struct {
	network, target string
	every           int // so many commits, one of which is forgotten

	mu      sync.Mutex
	commits int
	cuts    int
}

// dsn begins to listen and gives the address to connect to.
func (f *forgetful) dsn(t *testing.T, through string) string {
	t.Helper()
	cfg, err := pgconn.ParseConfig(through)
	require.NoError(t, err)
	f.network, f.target = pgconn.NetworkAddress(cfg.Host, cfg.Port)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.pass(c)
		}
	}()
	return (&url.URL{Scheme: "postgres", User: url.UserPassword(cfg.User, cfg.Password), Host: l.Addr().String(),
		Path: "/" + cfg.Database, RawQuery: "sslmode=disable"}).String()
}

// commit is the message by which pgx ends a transaction.
var commit = []byte("commit\x00")

func (f *forgetful) pass(c net.Conn) {
	defer c.Close()
	to, err := net.Dial(f.network, f.target)
	if err != nil {
		return
	}
	defer to.Close()
	answers := make(chan struct{}) // closed to stop passing answers on
	heard := make(chan struct{}, 1)
	go func() {
		defer c.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := to.Read(buf)
			select {
			case <-answers:
				heard <- struct{}{}
				return
			default:
			}
			if _, werr := c.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		forget := f.forgets(buf[:n])
		if forget {
			close(answers)
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
		if forget {
			<-heard // Postgres has answered: it is committed
			return
		}
	}
}

// forgets counts commits and says which is forgotten.
func (f *forgetful) forgets(message []byte) bool {
	if !bytes.HasSuffix(message, commit) || message[0] != 'Q' {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.commits++; f.every == 0 || f.commits%f.every != 0 {
		return false
	}
	f.cuts++
	return true
}

func (f *forgetful) forgot() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cuts
}

// forgetting makes a worker whose way to Postgres forgets each nth commit.
func (w *World) forgetting(t *testing.T, n int) (*Worker, *forgetful) {
	t.Helper()
	way := &forgetful{}
	pool, err := pgxpool.New(context.Background(), way.dsn(t, w.DSN))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	k, err := w.worker(context.Background(), pool, w.Client)
	require.NoError(t, err)
	way.mu.Lock()
	way.every = n
	way.mu.Unlock()
	return k, way
}

func TestFault_C3_CommittedAndNeverTold(t *testing.T) {
	heavy(t)
	for _, every := range []int{1, 2, 5} {
		t.Run(fmt.Sprint("one in ", every), func(t *testing.T) {
			t.Parallel()
			w := New(t, Options{Close: closetest.Options{Seed: 303, Leads: 8}})
			k, way := w.forgetting(t, every)
			ctx := context.Background()
			// Each step is told that it failed, or not, and is simply done again.
			step := func(do func() error) {
				for range 2 {
					if err := do(); err != nil {
						var refused *pgconn.PgError
						require.NotErrorAs(t, err, &refused, "only the connection fails")
					}
					w.SQL("UPDATE closesync.dirty SET lease_until = '-infinity', not_before = '-infinity'")
				}
			}
			step(func() error { return k.Engine.Reference(ctx) })
			step(func() error { return k.Engine.Backfill(ctx, nil) })
			for n := range 4 {
				w.edit(w.firstLead(), map[string]any{"description": fmt.Sprint("there ", n)})
				w.SQL("UPDATE crm.contacts SET title = $1", fmt.Sprint("here ", n))
				w.SQL(`WITH l AS (INSERT INTO crm.leads (name) VALUES ($1) RETURNING id)
					INSERT INTO crm.contacts (lead_id, name) SELECT id, $1 || ' contact' FROM l`, fmt.Sprint("made ", n))
				for range 4 {
					step(func() error { _, _, err := k.Engine.Tail(ctx); return err })
					step(func() error { _, err := k.Engine.Run(ctx); return err })
				}
			}
			require.Greater(t, way.forgot(), 4)
			t.Logf("%d commits forgotten", way.forgot())
			w.inherit() // with a way that forgets nothing
			w.Load()
			w.all()
			require.Len(t, w.Close.List("lead"), 12, "each insert is in Close once")
			require.Len(t, w.Close.List("contact"), 20)
			w.rest()
		})
	}
}

func (w *World) firstLead() string { return w.ids("lead")[0] }
