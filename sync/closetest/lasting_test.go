package closetest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reopen opens the file as a new process would.
func reopen(t *testing.T, file string, clock *Clock) *bundle {
	t.Helper()
	s, err := Open(file, Options{Seed: 4, Leads: 5, Clock: clock, Control: true, Consolidation: time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return &bundle{s, t, clock, s.Key()}
}

func TestOpen_GoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	file, clock := filepath.Join(t.TempDir(), "close.jsonl"), NewClock(start)
	b := reopen(t, file, clock)
	step := func() { clock.Advance(1700 * time.Millisecond) }
	lead := b.newLead(obj{"name": "A", "contacts": []any{obj{"name": "Ines"}}})
	step()
	b.ok("GET", "/lead/", nil)
	b.bad(400, "POST", "/lead/", obj{"url": "no url"})
	require.Equal(t, 400, b.send("/lead/", `{`))
	hook := b.ok("POST", "/webhook/", obj{"url": "https://x.example/", "events": []any{on("lead", "created")}})
	step()
	b.ok("POST", "/data/search/", obj{"query": is("lead")})
	b.ok("PUT", "/lead/"+lead+"/", obj{"name": "B"}, "X-Tz-Offset", "-7")
	won := b.ok("PUT", "/opportunity/"+b.List("opportunity")[0]["id"].(string)+"/", obj{"status_id": b.cat.pipelines[0].statuses[2].id}, "x-tz-offset", "-9")
	require.Equal(t, "2026-11-19", won["date_won"])
	code, made := b.control("POST", "create", `{"object_type":"lead","fields":{"name":"By hand"}}`)
	require.Equal(t, 200, code)
	step()
	b.control("POST", "custom_field/create", `{"object_type":"lead","fields":{"name":"Tier","type":"text"}}`)
	_, key := b.control("POST", "key", `{"role":"user"}`)
	b.Fault(Fault{Name: "before", Path: "/lead/", Method: "POST", Kind: FaultStatus, Status: 500, Times: 1})
	b.bad(500, "POST", "/lead/", obj{"name": "never"})
	b.Fault(Fault{Name: "after", Path: "/lead/", Method: "POST", Kind: FaultStatusAfter, Status: 500, Times: 1})
	b.bad(500, "POST", "/lead/", obj{"name": "made all the same"})
	b.ok("POST", "/lead/merge/", obj{"source": b.List("lead")[1]["id"], "destination": lead})
	require.NotZero(t, b.QueuedWebhooks())
	states := func(b *bundle) []any {
		return []any{b.List("lead"), b.List("contact"), b.List("opportunity"), b.events(""),
			b.ok("GET", "/custom_field/lead/", nil), b.ok("GET", "/webhook/", nil), b.ok("GET", "/user/", nil)}
	}
	was := states(b)
	require.NoError(t, b.Close())

	// A line that a kill cut short is as if it had never been asked for.
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"at":1,"method":"POST","path":"/api/v1/le`)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	clock.Advance(time.Hour)
	b = reopen(t, file, clock)
	require.Equal(t, was, states(b))
	require.Equal(t, hook["signature_key"], b.hooks.subs[0].signatureKey)
	require.Zero(t, b.QueuedWebhooks())
	require.Len(t, b.Requests(), 4, "only those of this process")
	b.key = key["key"].(string)
	b.ok("GET", "/me/", nil)
	require.Equal(t, "By hand", b.ok("GET", "/lead/"+made["id"].(string)+"/", nil)["name"])
	next := b.newLead(obj{"name": "Later"})
	require.Equal(t, zoned(micros(clock.Now())), b.ok("GET", "/lead/"+next+"/", nil)["date_created"], "the clock goes on")
	require.NoError(t, b.Close())
	b = reopen(t, file, clock)
	require.Equal(t, "Later", b.ok("GET", "/lead/"+next+"/", nil)["name"])
}

func TestOpen_Refusals(t *testing.T) {
	t.Parallel()
	_, err := Open(filepath.Join(t.TempDir(), "no", "folder"), Options{})
	require.Error(t, err)
	file := filepath.Join(t.TempDir(), "close.jsonl")
	s, err := Open(file, Options{Seed: 1, Leads: 2})
	require.NoError(t, err)
	_, err = Open(file, Options{Seed: 1, Leads: 2})
	require.ErrorContains(t, err, "another process")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err = Open(file, Options{Seed: 2, Leads: 2})
	require.ErrorContains(t, err, "seed 1 and 2 leads")
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/api/v1/lead/", http.NoBody)
	r.SetBasicAuth(s.Key(), "")
	s.ServeHTTP(w, r)
	require.Equal(t, 500, w.Code, "what cannot be kept is not done")
	require.Len(t, s.List("lead"), 2)
	require.NoError(t, New(Options{}).Close())
}
