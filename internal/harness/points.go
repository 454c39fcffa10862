package harness

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// errCut is what a worker gets that was cut off: as far as the outside is
// concerned it was killed.
var errCut = errors.New("harness: this worker was cut off")

// Points are the moments at which a worker touches the outside: before and
// after each message to Postgres and each request to Close. Any of them can be
// made the last one: then its connections are cut, open transactions end
// without a commit, and nothing it does afterwards reaches anybody.
type Points struct {
	// Coarse leaves out what changes nothing outside: to be killed while reading,
	// or inside a transaction, is to be killed before the next change.
	Coarse bool

	mu    sync.Mutex
	last  int // number of the point to be cut off at; 0 for none
	count int
	where string // the point it was cut off at
	conns map[*wire]struct{}
	seen  map[string]int
}

// NewPoints makes points none of which is the last.
func NewPoints() *Points { return &Points{conns: map[*wire]struct{}{}, seen: map[string]int{}} }

// CutAt makes the nth point from now the last one.
func (p *Points) CutAt(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = p.count + n
}

// Where names the point at which the worker was cut off, "" if it was not.
func (p *Points) Where() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.where
}

// Seen counts the points passed, by name.
func (p *Points) Seen() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.seen)
}

// pass passes a point, or ends the worker there.
func (p *Points) pass(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.where != "" {
		return errCut
	}
	p.count++
	p.seen[name]++
	if p.count != p.last {
		return nil
	}
	p.where = name
	for c := range p.conns {
		_ = c.Conn.Close()
	}
	return errCut
}

// Sleep waits as a client of Close does between two tries, but not when dead.
func (p *Points) Sleep(ctx context.Context, d time.Duration) error {
	if p.Where() != "" {
		return errCut
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Pool makes a worker's pool, whose messages to Postgres are points.
func (p *Points) Pool(ctx context.Context, dsn string) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	dial := c.ConnConfig.DialFunc
	c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if p.Where() != "" {
			return nil, errCut
		}
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		w := &wire{Conn: conn, points: p}
		p.mu.Lock()
		p.conns[w] = struct{}{}
		p.mu.Unlock()
		return w, nil
	}
	c.ConnConfig.Tracer = label{}
	return pgxpool.NewWithConfig(ctx, c)
}

// wire is a connection to Postgres.
type wire struct {
	net.Conn
	points *Points

	mu     sync.Mutex
	sql    string // the statement under way; "" for what is no statement
	inside bool   // a transaction is open around it
}

// Write sends one message: before and after it are points. After means that
// Postgres has acted on it and begun to answer.
func (w *wire) Write(b []byte) (int, error) {
	name, counts := w.point(b)
	if !counts {
		return w.Conn.Write(b)
	}
	if err := w.points.pass("before " + name); err != nil {
		return 0, err
	}
	n, err := w.Conn.Write(b)
	if err != nil {
		return n, err
	}
	if w.points.next() {
		_ = w.Conn.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = w.Conn.Read(make([]byte, 1)) // Postgres has acted; nobody will read on
	}
	return n, w.points.pass("after " + name)
}

// next tells whether the next point is the last one.
func (p *Points) next() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.where == "" && p.count+1 == p.last
}

// point names what a message does. Preparing a statement does nothing yet.
func (w *wire) point(message []byte) (name string, counts bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sql == "" || len(message) == 0 {
		return "", false
	}
	switch message[0] {
	case 'B', 'Q':
	default:
		return "", false
	}
	return w.sql, !w.points.Coarse || w.sql == "commit" || (!w.inside && !strings.HasPrefix(w.sql, "begin") && !strings.HasPrefix(w.sql, "SELECT"))
}

// label tells the wire which statement its next messages belong to.
type label struct{}

func (label) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	mark(conn, short(data.SQL))
	return ctx
}

func (label) TraceQueryEnd(_ context.Context, conn *pgx.Conn, _ pgx.TraceQueryEndData) {
	mark(conn, "")
}

func mark(conn *pgx.Conn, sql string) {
	w, ok := conn.PgConn().Conn().(*wire)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sql, w.inside = sql, conn.PgConn().TxStatus() != 'I'
}

// short is the beginning of a statement.
func short(sql string) string {
	words := strings.Fields(sql)
	return strings.Join(words[:min(len(words), 8)], " ")
}

// Transport passes a point before and after each request to Close.
func (p *Points) Transport(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		name := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/v1")
		if i := strings.IndexByte(name, '_'); i > 0 {
			name = name[:i] // without the id
		}
		if p.Coarse && (r.Method == http.MethodGet || strings.HasSuffix(r.URL.Path, "/search/")) {
			if p.Where() != "" {
				return nil, errCut
			}
			return next.RoundTrip(r)
		}
		if err := p.pass("before " + name); err != nil {
			return nil, err
		}
		answer, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		if err := p.pass("after " + name); err != nil {
			_ = answer.Body.Close()
			return nil, err
		}
		return answer, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
