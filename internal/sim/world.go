package sim

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"closesync/mapping"
	"closesync/sync/closetest"
)

// World is one run of one scenario.
type World struct {
	lane    *Lane
	sc      Scenario
	Close   *closetest.Server
	objects map[string]*mapping.Object
	log     *slog.Logger
	logged  bytes.Buffer // all that the workers log, see I-18
	hooks   *http.Client

	procs    map[string]*proc
	sessions []*session
	tasks    []*task
	settled  int64 // releases that blocked tasks were asked after
	recs     []*rec
	customID string
	tokens   int // the greatest token of the scenario
	writes   int
	at       int // step under way
	points   int // yield points passed
	crashAt  int // yield point at which the worker dies; 0: none
	crashes  map[string]int
	graves   []*proc        // killed, with goroutines that still wait
	resting  bool           // the steps are done
	runs     int            // worker operations while coming to rest
	ops      int            // external operations and faults carried out
	polls    int            // looks of the workers at Close that nothing asked for
	armed    int            // faults that could fire
	faults   []string       // names of those
	fired    map[string]int // by kind
	reached  reached

	requests []request
	problems []string // how operations ended that failed
	signing  []string // keys of webhook subscriptions
	acked    []string // "event id|date_updated" of deliveries answered 2xx
	broken   []Violation
	hash     io.Writer
	sum      func() uint64
	trace    bytes.Buffer // all that went into hash, if it is kept
	story    []string     // of a run that is told
	tells    bool
}

// request is one call of a worker as the imitation saw it.
type request struct {
	step                      int
	method, path, query, body string
	status                    int
	task                      string
}

// Violation is a broken invariant.
type Violation struct {
	Invariant string
	Text      string
}

func (w *World) violate(invariant, format string, args ...any) {
	if len(w.broken) < 50 {
		w.broken = append(w.broken, Violation{invariant, fmt.Sprintf(format, args...)})
	}
	w.say("VIOLATION %s: %s", invariant, fmt.Sprintf(format, args...))
}

// say adds a line to the story, if anybody wants to hear it.
func (w *World) say(format string, args ...any) {
	if w.tells {
		w.story = append(w.story, fmt.Sprintf("%s ", w.lane.now.Format("02T15:04:05.000"))+fmt.Sprintf(format, args...))
	}
}

// traced takes a yield point into the trace.
func (w *World) traced(t *task, point string) {
	fmt.Fprintf(w.hash, "%s|%s\n", t.name, point)
	if w.tells && strings.HasPrefix(point, "sql") {
		w.say("    %s: %s", t.name, point)
	}
}

// note takes a call into the history and the trace.
func (w *World) note(t *task, req *http.Request, body []byte, a *answer, err error) {
	r := request{w.at, req.Method, req.URL.Path, req.URL.RawQuery, string(body), 0, t.name}
	var got []byte
	if a != nil {
		r.status, got = a.status, a.body
	}
	w.requests = append(w.requests, r)
	fmt.Fprintf(w.hash, "%s %s?%s %s -> %d %s %v\n", r.method, r.path, r.query, body, r.status, got, err)
	w.say("    %s: %s %s?%s %.400s -> %d %.600s %v", t.name, r.method, strings.TrimPrefix(r.path, "/api/v1"), r.query, body, r.status, got, err)
}

// kindOfPath names an endpoint without ids.
func kindOfPath(path string) string {
	parts := strings.Split(strings.Trim(strings.TrimPrefix(path, "/api/v1"), "/"), "/")
	if len(parts) == 2 && strings.Contains(parts[1], "_") {
		return parts[0] + "/id"
	}
	return strings.Join(parts, "/")
}

func httpClient(w *World) *http.Client { return &http.Client{Transport: wire{w}} }

// newWorld makes the organization and empties the database.
func (l *Lane) newWorld(sc Scenario) (*World, error) {
	w := &World{lane: l, sc: sc, procs: map[string]*proc{}, crashes: map[string]int{}, fired: map[string]int{}, reached: reached{}}
	w.log = slog.New(slog.NewTextHandler(&w.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h := fnv.New64a()
	w.hash, w.sum = h, h.Sum64
	l.world = w
	if err := l.reset(); err != nil {
		return nil, err
	}
	c := sc.Config
	w.Close = closetest.New(closetest.Options{Seed: sc.Seed, Now: func() time.Time { return l.now.Add(c.CloseSkew) },
		Sleep:         func(_ context.Context, d time.Duration) { l.advance(d) },
		Consolidation: c.Consolidation, WebhookDelay: c.HookDelay, IndexLag: c.IndexLag, MergeDelay: c.MergeDelay,
		NoopTouches: c.NoopTouches, RefuseContactMove: c.RefuseMove, Webhooks: closetest.WebhookOptions{Timeout: realPatience}})
	var problems []mapping.Problem
	objects := []mapping.ObjectConfig{}
	w.objects, problems = mapping.Bind(objects)
	if len(problems) > 0 {
		return nil, fmt.Errorf("mapping: %v", problems)
	}
	for _, o := range w.objects {
		o.Policy = c.Policy
	}
	w.customID = w.Close.CustomField("lead", "Region note")
	w.hooks = &http.Client{Transport: hookWire{w}}
	for _, conn := range l.conns {
		w.sessions = append(w.sessions, &session{conn: conn})
	}
	for _, r := range sc.Recs {
		w.recs = append(w.recs, &rec{Rec: r})
	}
	for _, st := range sc.Steps {
		w.tokens = max(w.tokens, st.N)
	}
	return w, nil
}
