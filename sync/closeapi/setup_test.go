package closeapi

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

const testKey = "api_0123456789abcdefghijkl.secretpart"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is virtual: sleeping moves it.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slept = append(c.slept, d)
	c.now = c.now.Add(d)
	return nil
}

type bundle struct {
	*Client
	clock *clock
	mux   *http.ServeMux
	calls *[]Call
}

// setup starts a server and a client of it with a virtual clock.
func setup(t *testing.T, change ...func(*Options)) *bundle {
	t.Helper()
	b := &bundle{clock: &clock{now: time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC)}, mux: http.NewServeMux(), calls: new([]Call)}
	s := httptest.NewServer(b.mux)
	var mu sync.Mutex
	o := Options{
		BaseURL: s.URL + "/api/v1/", Key: testKey, Now: b.clock.Now, Sleep: b.clock.Sleep,
		Rand: func() float64 { return 0.5 },
		Observe: func(c Call) {
			mu.Lock()
			defer mu.Unlock()
			*b.calls = append(*b.calls, c)
		},
	}
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	require.NoError(t, err)
	b.Client = c
	t.Cleanup(func() { c.CloseIdle(); s.Close() })
	return b
}

// on answers requests for a path with the answers in turn, the last for ever.
// What it returns tells how many came so far; a handler may still be running.
func (b *bundle) on(path string, answers ...http.HandlerFunc) func() int {
	var n atomic.Int64
	b.mux.HandleFunc("/api/v1/"+path, func(w http.ResponseWriter, r *http.Request) {
		turn := int(n.Add(1)) - 1
		answers[min(turn, len(answers)-1)](w, r)
	})
	return func() int { return int(n.Load()) }
}

func answer(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func sample(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return string(b)
}
