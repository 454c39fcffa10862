package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closetest"
	"closesync/sync/engine"
	"closesync/sync/reconcile"
)

// TestScenarios plays the scripts of testdata/scenarios, and each once more for
// every step with the worker killed behind it (`make crashes`; otherwise for each
// fifth, or tenth with the race detector): where a crash falls makes no difference to what both sides hold in the
// end. doc.txt there lists the steps.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "scenarios", "*.txtar"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for i, file := range files {
		archive, err := txtar.ParseFile(file)
		require.NoError(t, err)
		steps := steps(t, archive)
		for crash := 0; crash <= len(steps); crash++ {
			name := strings.TrimSuffix(filepath.Base(file), ".txtar")
			if crash > 0 {
				if os.Getenv(everyPoint) != "all" && (crash+i)%crashEvery != 0 {
					continue // beginning elsewhere in each file
				}
				name += fmt.Sprintf("/crash behind line %d", steps[crash-1].line)
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				newScript(t, archive).play(steps, crash)
			})
		}
	}
}

// step is one line of a script.
type step struct {
	line int
	word string
	rest string
}

// steps reads the lines; "#" begins a comment, and a line that begins with
// blanks goes on with the one before it.
func steps(t *testing.T, a *txtar.Archive) []step {
	t.Helper()
	var list []step
	for i, line := range strings.Split(string(a.Comment), "\n") {
		switch text := strings.TrimSpace(line); {
		case text == "" || strings.HasPrefix(text, "#"):
		case strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"):
			require.NotEmpty(t, list, "line %d goes on with nothing", i+1)
			list[len(list)-1].rest += " " + text
		default:
			word, rest, _ := strings.Cut(text, " ")
			list = append(list, step{i + 1, word, strings.TrimSpace(rest)})
		}
	}
	require.NotEmpty(t, list)
	return list
}

// script is one play of a script.
type script struct {
	*World
	at      step
	options Options
	names   map[string]string // Close ids by the script's own names
}

func newScript(t *testing.T, a *txtar.Archive) *script {
	o := Options{Close: closetest.Options{Seed: 7}, Guards: reconcile.Limits{MaxDeletes: 5, MaxCreates: 5}}
	for _, f := range a.Files {
		switch f.Name {
		case "objects.json":
			require.NoError(t, json.Unmarshal(f.Data, &o.Objects))
		case "setup.sql":
			o.Setup = string(f.Data)
		default:
			t.Fatalf("a scenario has objects.json and setup.sql, not %s", f.Name)
		}
	}
	s := &script{World: New(t, o), options: o, names: map[string]string{}}
	s.Load()
	return s
}

// play takes the steps, and kills the worker behind one of them; 0 for none.
func (s *script) play(list []step, crash int) {
	words := map[string]func(string){
		"remote": s.remote, "local": s.local, "run": s.work, "webhook": s.deliver, "poll": func(string) { s.Tail() },
		"search": func(string) { s.Search() }, "audit": func(string) { s.Audit() }, "cmp": s.compare, "fault": s.fault, "crash": s.crash,
		"resolve": s.decideConflict, "approve": s.decideHold(true), "reject": s.decideHold(false),
	}
	for i, st := range list {
		s.at = st
		do := words[st.word]
		require.NotNil(s.T, do, "line %d: no step is called %q", st.line, st.word)
		do(st.rest)
		if crash == i+1 {
			s.crash("")
		}
	}
	s.at = step{line: list[len(list)-1].line, word: "end"}
	s.quiet()
}

// quiet goes by every way of noticing twice; the second time must find nothing.
func (s *script) quiet() {
	look := func() { s.Settle(); s.Tail(); s.Search(); s.Audit() }
	look()
	writes, versions := s.writes(), s.versions()
	look()
	require.Equal(s.T, writes, s.writes(), "something was written to Close at rest")
	require.Equal(s.T, versions, s.versions(), "rows were written at rest")
}

// named puts Close ids for names like $acme.
func (s *script) named(text string) string {
	for name, id := range s.names {
		text = strings.ReplaceAll(text, "$"+name, id)
	}
	return text
}

// remote is what a person does in Close.
func (s *script) remote(rest string) {
	word, rest, _ := strings.Cut(rest, " ")
	name, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
	rest = s.named(strings.TrimSpace(rest))
	switch word {
	case "create": // remote create acme lead {"name": "Acme"}
		objectType, fields, _ := strings.Cut(rest, " ")
		id, err := s.Close.Create(objectType, s.fields(fields))
		require.NoError(s.T, err, "line %d", s.at.line)
		s.names[name] = id
	case "set": // remote set acme {"name": "Acme Inc."}
		require.NoError(s.T, s.Close.Update(s.names[name], s.fields(rest)), "line %d", s.at.line)
	case "delete":
		require.NoError(s.T, s.Close.Delete(s.names[name]), "line %d", s.at.line)
	case "merge": // remote merge old into
		require.NoError(s.T, s.Close.Merge(s.names[name], s.names[rest]), "line %d", s.at.line)
	case "hide", "show":
		require.NoError(s.T, s.Close.Hide(s.names[name], word == "hide"), "line %d", s.at.line)
	default:
		s.T.Fatalf("line %d: nobody can %q in Close", s.at.line, word)
	}
}

func (s *script) fields(text string) map[string]any {
	var fields map[string]any
	require.NoError(s.T, json.Unmarshal([]byte(text), &fields), "line %d: %s", s.at.line, text)
	return fields
}

// local is what a program does: local sql UPDATE …
func (s *script) local(rest string) {
	sql, ok := strings.CutPrefix(rest, "sql ")
	require.True(s.T, ok, "line %d: local sql …", s.at.line)
	s.SQL(s.named(sql))
}

// work lets the worker do what is due; "run dies N" kills it at its N-th write
// to Close, after Close took it.
func (s *script) work(rest string) {
	var n int
	if _, err := fmt.Sscanf(rest, "dies %d", &n); err != nil {
		s.Settle()
		return
	}
	opt := s.Engine.Options
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	doomed := &mortal{Remote: s.Remote, left: int64(n), die: cancel}
	opt.Remote = doomed
	_, _ = engine.New(opt).Run(ctx)
	require.LessOrEqual(s.T, doomed.left, int64(0), "line %d: it was to die", s.at.line)
	s.crash("")
}

// mortal is a Close side whose worker dies after the effect of a write, before
// it hears of it.
type mortal struct {
	engine.Remote
	left int64 // several calls run at once
	die  func()
}

func (m *mortal) struck() error {
	if atomic.AddInt64(&m.left, -1) > 0 {
		return nil
	}
	m.die()
	return &engine.CallError{Class: "unknown", Message: "the worker is dead"}
}

func (m *mortal) Create(ctx context.Context, objectType string, set mapping.Record, marker string) (mapping.Remote, error) {
	answer, err := m.Remote.Create(ctx, objectType, set, marker)
	if dead := m.struck(); dead != nil {
		return mapping.Remote{}, dead
	}
	return answer, err
}

func (m *mortal) Update(ctx context.Context, objectType, id string, set mapping.Record) (mapping.Remote, error) {
	answer, err := m.Remote.Update(ctx, objectType, id, set)
	if dead := m.struck(); dead != nil {
		return mapping.Remote{}, dead
	}
	return answer, err
}

func (m *mortal) Delete(ctx context.Context, objectType, id string) error {
	err := m.Remote.Delete(ctx, objectType, id)
	if dead := m.struck(); dead != nil {
		return dead
	}
	return err
}

// crash forgets everything the worker knew; what it had claimed is due when
// its lease ends.
func (s *script) crash(string) {
	s.Restart()
	s.SQL("UPDATE closesync.dirty SET lease_until = '-infinity'")
}

// deliver brings every event of Close by webhook: "webhook", "webhook twice",
// "webhook reversed".
func (s *script) deliver(how string) {
	events := s.events()
	if how == "reversed" {
		for i, j := 0, len(events)-1; i < j; i, j = i+1, j-1 {
			events[i], events[j] = events[j], events[i]
		}
	}
	times := 1
	if how == "twice" {
		times = 2
	}
	for range times {
		for _, e := range events {
			_, err := s.Store.Accept(context.Background(), "webhook", []engine.Event{e})
			require.NoError(s.T, err)
		}
	}
}

// events are those of Close's log, oldest first.
func (s *script) events() []engine.Event {
	var all []engine.Event
	_, err := s.Remote.Events(context.Background(), time.Time{}, func(page []engine.Event) error {
		all = append(all, page...)
		return nil
	})
	require.NoError(s.T, err)
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all
}

// compare checks: "cmp" that both sides are equal; "cmp sql QUERY = TEXT" what
// the database holds; "cmp remote acme name = TEXT" what Close holds.
func (s *script) compare(rest string) {
	if rest == "" {
		if diff := s.Diff(); diff != "" {
			s.T.Fatalf("line %d: the sides differ (-close +local):\n%s", s.at.line, diff)
		}
		return
	}
	rest = s.named(rest)
	equals := strings.LastIndex(rest, " = ") // SQL may hold others
	require.Positive(s.T, equals, "line %d: cmp … = …", s.at.line)
	what, want := rest[:equals], rest[equals+3:]
	word, arg, _ := strings.Cut(strings.TrimSpace(what), " ")
	got := ""
	switch word {
	case "sql":
		got = s.Get(arg)
	case "remote":
		id, field, _ := strings.Cut(arg, " ")
		if known := s.names[id]; known != "" {
			id = known
		}
		got = s.field(id, strings.TrimSpace(field))
	default:
		s.T.Fatalf("line %d: cmp sql or cmp remote", s.at.line)
	}
	require.Equal(s.T, strings.TrimSpace(want), got, "line %d: %s", s.at.line, what)
}

// fault breaks calls to Close: fault {"Method":"POST","Path":"/lead/","Kind":"cut_after","Times":1}
func (s *script) fault(rest string) {
	var f closetest.Fault
	require.NoError(s.T, json.Unmarshal([]byte(rest), &f), "line %d", s.at.line)
	s.Close.Fault(f)
}

// decideConflict is an operator's choice for the open conflict of a field:
// resolve acme name {"take":"local"}
func (s *script) decideConflict(rest string) {
	part := strings.SplitN(rest, " ", 3)
	require.Len(s.T, part, 3, "line %d", s.at.line)
	s.resolve(s.Get("SELECT id FROM closesync.conflicts WHERE close_id = $1 AND field = $2 AND status = 'open'", s.names[part[0]], part[1]), part[2])
}

func (s *script) decideHold(yes bool) func(string) {
	return func(kind string) {
		var id int64
		require.NoError(s.T, s.Pool.QueryRow(context.Background(),
			"SELECT id FROM closesync.holds WHERE kind = $1 AND status = 'open'", kind).Scan(&id), "line %d", s.at.line)
		require.NoError(s.T, s.Store.DecideHold(context.Background(), id, yes))
	}
}

// The list of steps in doc.txt is the list of steps there are.
func TestScenarios_StepsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "scenarios", "doc.txt"))
	require.NoError(t, err)
	for _, word := range []string{"remote create", "remote set", "remote delete", "remote merge", "remote hide", "remote show", "local sql", "run", "run dies",
		"webhook", "poll", "search", "audit", "cmp", "cmp sql", "cmp remote", "fault", "crash", "resolve", "approve", "reject"} {
		require.Contains(t, string(text), "\n"+word, word)
	}
}
