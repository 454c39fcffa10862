package harness

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/closeapi"
	"closesync/sync/closetest"
)

// over puts a transport between the worker and Close, and may use another key.
func (w *World) over(key string, transport http.RoundTripper) {
	w.T.Helper()
	client, err := closeapi.New(closeapi.Options{BaseURL: w.base, Key: closeapi.Secret(key), HTTPClient: &http.Client{Transport: transport}})
	require.NoError(w.T, err)
	w.T.Cleanup(client.CloseIdle)
	w.Client = client
	w.Restart()
}

// calls counts requests that are asked for, and lets something happen before.
type calls struct {
	pick  func(r *http.Request, body string) bool
	then  func(n int64)
	count atomic.Int64
}

func (c *calls) RoundTrip(r *http.Request) (*http.Response, error) {
	var body string
	if r.GetBody != nil {
		b, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		raw, _ := io.ReadAll(b)
		body = string(raw)
	}
	if c.pick(r, body) {
		if n := c.count.Add(1); c.then != nil {
			c.then(n)
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// goesOn picks requests for a further page of a search.
func goesOn(r *http.Request, body string) bool {
	return strings.HasSuffix(r.URL.Path, "/data/search/") && strings.Contains(body, `"cursor":"`)
}

// atOneInstant is an organization whose clock stood still while so many records
// were made, so that no page can begin where the last one ended.
func atOneInstant(t *testing.T, seed uint64, n int, objectType string) (*World, *closetest.Clock) {
	t.Helper()
	clock := closetest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	w := New(t, Options{Close: closetest.Options{Seed: seed, Leads: 1, Clock: clock}})
	lead := w.ids("lead")[0]
	for i := range n {
		fields := map[string]any{"name": fmt.Sprint("Imported ", i)}
		if objectType == "opportunity" {
			fields = map[string]any{"note": fmt.Sprint("Imported ", i), "lead_id": lead}
		}
		_, err := w.Close.Create(objectType, fields)
		require.NoError(t, err)
	}
	clock.Advance(time.Hour)
	return w, clock
}

func TestFault_A18_KeysThriceChangeNoRow(t *testing.T) {
	w := rested(t, 118, 4)
	w.Close.Fault(closetest.Fault{Name: "thrice", Kind: closetest.FaultDuplicateKeys})
	w.edit(w.ids("lead")[0], map[string]any{"name": "Meanwhile"})
	_, _, _ = w.Engine.Tail(t.Context())
	_ = w.Engine.SearchChanged(t.Context(), "lead")
	_, _ = w.Engine.Run(t.Context())
	require.Positive(t, w.Close.FaultFired("thrice"))
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.records WHERE close_id LIKE 'x\\_%'"), "none of the other ids is believed")
	require.Equal(t, "4", w.Get("SELECT count(*) FROM crm.leads"))
	w.Close.ClearFaults()
	w.due()
	w.all()
}

func TestFault_A22_CursorsDieOnTheWayToPostgres(t *testing.T) {
	t.Parallel()
	w, clock := atOneInstant(t, 122, 450, "lead")
	late := &calls{pick: goesOn, then: func(n int64) {
		if n <= 2 {
			clock.Advance(31 * time.Second) // a pause of a rate limit is enough
		}
	}}
	w.over(w.Close.Key(), late)
	w.Load()
	require.Positive(t, late.count.Load(), "a cursor was used")
	w.Equal()
	require.Equal(t, "451", w.Get("SELECT count(*) FROM crm.leads"))
}

func TestFault_A25_CursorsRefusedOnTheWayToPostgres(t *testing.T) {
	t.Parallel()
	w, _ := atOneInstant(t, 125, 450, "lead")
	rotated := &calls{pick: goesOn, then: func(n int64) {
		if n == 1 {
			w.Close.Fault(closetest.Fault{Path: "/data/search/", Kind: closetest.FaultStatus, Status: 400, Times: 1,
				Body: `{"field-errors":{"cursor":"Invalid cursor."},"errors":[]}`})
		}
	}}
	w.over(w.Close.Key(), rotated)
	w.Load()
	require.Positive(t, rotated.count.Load(), "a cursor was used")
	w.Equal()
	require.Equal(t, "451", w.Get("SELECT count(*) FROM crm.leads"))
}

// More records of one moment than a search yields are read by their other date.
func TestFault_A23_MoreHitsThanASearchYieldsReachPostgres(t *testing.T) {
	heavy(t)
	t.Parallel()
	const n = 10_300
	w, clock := atOneInstant(t, 123, n, "lead")
	for i, id := range w.ids("lead") {
		if i%50 == 0 {
			clock.Advance(time.Second)
		}
		w.edit(id, map[string]any{"description": "touched"})
	}
	clock.Advance(time.Hour)
	w.Load()
	require.Equal(t, fmt.Sprint(n+1), w.Get("SELECT count(*) FROM crm.leads WHERE close_id <> ''"))
	require.Equal(t, "0", w.Get("SELECT count(*) FROM (SELECT close_id FROM crm.leads GROUP BY 1 HAVING count(*) > 1) twice"))
	w.Equal()
}

func TestFault_A24_MoreToSkipThanAListAllowsReachesPostgres(t *testing.T) {
	heavy(t)
	t.Parallel()
	w, clock := atOneInstant(t, 124, 700, "opportunity")
	w.Load()
	w.Equal()
	// All edited at one moment, too, and found by the list of changes.
	for _, id := range w.ids("opportunity") {
		w.edit(id, map[string]any{"confidence": 77})
	}
	clock.Advance(time.Hour)
	w.Search()
	require.Equal(t, "701", w.Get("SELECT count(*) FROM crm.opportunities WHERE confidence = 77"))
	w.Equal()
}

// A key that is no admin's gets old events without their content.
func TestFault_A31_EventsWithoutDataAreRead(t *testing.T) {
	t.Parallel()
	clock := closetest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	w := New(t, Options{Close: closetest.Options{Seed: 131, Leads: 6, Clock: clock}})
	w.over(w.Close.AddKey(closetest.RoleUser), http.DefaultTransport)
	w.Load()
	clock.Advance(time.Minute)
	edited, deleted := w.ids("lead")[0], w.ids("lead")[1]
	w.edit(edited, map[string]any{"name": "Told without its name"})
	require.NoError(t, w.Close.Delete(deleted))
	made, err := w.Close.Create("lead", map[string]any{"name": "Made without a word"})
	require.NoError(t, err)
	clock.Advance(2 * time.Hour)
	_, _, err = w.Engine.Tail(t.Context())
	require.NoError(t, err)
	require.Equal(t, "0", w.Get("SELECT count(*) FROM closesync.inbox WHERE object_id = ANY ($1) AND convert_from(body, 'UTF8')::jsonb ? 'data'", []string{edited, made}))
	w.Settle()
	require.Equal(t, "Told without its name", w.Get("SELECT name FROM crm.leads WHERE close_id = $1", edited))
	require.Equal(t, "1", w.Get("SELECT count(*) FROM crm.leads WHERE close_id = $1", made))
	w.Equal()
}

// A field that only some roles may edit is parked, and the others are sent.
func TestFault_A35_AFieldForOtherRolesIsParked(t *testing.T) {
	t.Parallel()
	w := New(t, Options{Close: closetest.Options{Seed: 135, Leads: 3}})
	field, err := w.Close.AddCustomField("lead", map[string]any{"name": "Board only", "type": "text", "editable_with_roles": []any{closetest.RoleAdmin}})
	require.NoError(t, err)
	w.over(w.Close.AddKey(closetest.RoleUser), http.DefaultTransport)
	w.Load()
	id := w.ids("lead")[0]
	w.SQL("UPDATE crm.leads SET name = 'May be edited', custom = custom || jsonb_build_object($2::text, 'may not') WHERE close_id = $1", id, field)
	w.Settle()
	require.Equal(t, "May be edited", w.field(id, "name"))
	require.Empty(t, w.field(id, "custom."+field))
	require.Equal(t, "error", w.state("lead", id))
	require.Equal(t, "may not", w.Get("SELECT custom ->> $2 FROM crm.leads WHERE close_id = $1", id, field), "it is kept here")
	writes := w.writes()
	w.edit(id, map[string]any{"description": "goes on"})
	w.Tail()
	require.Equal(t, "goes on", w.Get("SELECT description FROM crm.leads WHERE close_id = $1", id))
	require.Equal(t, writes, w.writes(), "and is not sent again and again")
}
