package live

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// gate is a way to a database that can be shut, as when it is down.
type gate struct {
	dsn             string
	network, target string

	mu   sync.Mutex
	down bool
	open map[net.Conn]bool
}

func newGate(t *testing.T, dsn string) *gate {
	t.Helper()
	cfg, err := pgconn.ParseConfig(dsn)
	require.NoError(t, err)
	g := &gate{open: map[net.Conn]bool{}}
	g.network, g.target = pgconn.NetworkAddress(cfg.Host, cfg.Port)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	g.dsn = (&url.URL{Scheme: "postgres", User: url.UserPassword(cfg.User, cfg.Password), Host: l.Addr().String(),
		Path: "/" + cfg.Database, RawQuery: "sslmode=disable"}).String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go g.pass(c)
		}
	}()
	return g
}

// pass copies both ways until one side ends.
func (g *gate) pass(c net.Conn) {
	defer c.Close()
	to, err := net.Dial(g.network, g.target)
	if err != nil || !g.note(c) {
		return
	}
	defer to.Close()
	go func() {
		_, _ = io.Copy(to, c)
		_ = to.Close()
	}()
	_, _ = io.Copy(c, to)
}

func (g *gate) note(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[c] = true
	return !g.down
}

// shut cuts every connection and lets none pass until it is set to false.
func (g *gate) shut(down bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = down
	for c := range g.open {
		_ = c.Close()
	}
	clear(g.open)
}
