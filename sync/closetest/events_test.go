package closetest

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEvents_Consolidation(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Consolidation: 10 * time.Second})
	lead := b.newLead(obj{"name": "A"})
	path := "/lead/" + lead + "/"
	b.ok("PUT", path, obj{"name": "B"})
	first := b.events("")[0]
	b.clock.Advance(9 * time.Second)
	require.NoError(t, b.Update(lead, obj{"name": "C", "description": "d"}))
	es := b.events("")
	require.Len(t, es, 2)
	require.Equal(t, first["id"], es[0]["id"])
	require.Equal(t, first["date_created"], es[0]["date_created"])
	require.NotEqual(t, first["date_updated"], es[0]["date_updated"])
	require.Equal(t, "A", es[0]["previous_data"].(obj)["name"])
	require.Nil(t, es[0]["previous_data"].(obj)["description"])
	require.Equal(t, "C", es[0]["data"].(obj)["name"])
	require.Contains(t, es[0]["changed_fields"], "description")
	require.NotNil(t, first["api_key_id"])
	require.Nil(t, es[0]["api_key_id"], "the actor is the last writer")
	require.Equal(t, b.cat.users[1].id, es[0]["user_id"])
	b.clock.Advance(time.Second)
	b.ok("PUT", path, obj{"name": "D"})
	require.Len(t, b.events(""), 3)
	require.Equal(t, es[0]["id"], b.ok("GET", "/event/"+es[0]["id"].(string)+"/", nil)["id"])
}

func TestEvents_Paging(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	var made []string
	for range 120 {
		made = append(made, b.newLead(obj{}))
		b.clock.Advance(time.Second)
	}
	var seen []string
	cursor, pages := "", 0
	for {
		page := b.ok("GET", "/event/?object_type=lead&action=created&_cursor="+cursor, nil)
		for _, e := range rows(page) {
			seen = append(seen, e["object_id"].(string))
		}
		pages++
		if cursor, _ = page["cursor_next"].(string); cursor == "" {
			require.Equal(t, ids(page), ids(b.ok("GET", "/event/?_limit=20&_cursor="+older(b, page), nil)))
			break
		}
	}
	require.Equal(t, 3, pages)
	require.Len(t, seen, 120)
	require.Equal(t, made[119], seen[0])
	require.Equal(t, made[0], seen[119])
}

// older goes one page newer and comes back.
func older(b *bundle, page obj) string {
	newer := b.ok("GET", "/event/?_limit=50&_cursor="+page["cursor_previous"].(string), nil)
	require.Len(b.t, rows(newer), 50)
	return newer["cursor_next"].(string)
}

func TestEvents_Filters(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.newLead(obj{})
	b.clock.Advance(time.Minute)
	at := b.clock.Now()
	b.newLead(obj{})
	stamp := url.QueryEscape(at.Format("2006-01-02T15:04:05.000000Z07:00"))
	for query, want := range map[string]int{
		"": 2, "date_updated__gte=" + stamp: 1, "date_updated__gt=" + stamp: 0,
		"date_updated__lt=" + stamp: 1, "date_updated__lte=" + stamp: 2,
		"object_type=lead&action=created": 2, "object_type=contact&action=created": 0,
		"date_created__gte=" + stamp: 2, "user_id=" + b.admin.userID: 2, "request_id=req_none": 0,
	} {
		require.Len(t, b.events(query), want, query)
	}
	require.Len(t, b.Violations(), 1, "date_created is no filter of the log")
	for _, query := range []string{"object_type=lead", "action=created", "object_type=lead&object_id=x&action=created", "_limit=51", "_cursor=dead"} {
		b.bad(400, "GET", "/event/?"+query, nil)
	}
}

func TestFault_A25_RotatedCursors(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.newLead(obj{})
	b.newLead(obj{})
	c := b.ok("GET", "/event/?_limit=1", nil)["cursor_next"].(string)
	b.RotateCursors()
	b.bad(400, "GET", "/event/?_cursor="+c, nil)
}

// Events may appear out of order: whoever moves a watermark to the newest one
// without looking back loses the late ones.
func TestEvents_AppearLateAndOutOfOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{EventLag: 4 * time.Minute})
	var made []string
	for range 20 {
		made = append(made, b.newLead(obj{}))
		b.clock.Advance(10 * time.Second)
	}
	shown := map[string]bool{}
	newest, overtaken := "", false
	for range 30 {
		for _, e := range b.events("object_type=lead&action=created") {
			if id := e["id"].(string); !shown[id] {
				shown[id] = true
				overtaken = overtaken || e["date_updated"].(string) < newest
			}
		}
		for _, e := range b.events("object_type=lead&action=created")[:min(1, len(shown))] {
			newest = max(newest, e["date_updated"].(string))
		}
		b.clock.Advance(10 * time.Second)
	}
	require.Len(t, shown, len(made))
	require.True(t, overtaken, "an older event appeared after a newer one")
}

func TestFault_A25_EventCursorsMayExpire(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{EventCursorLife: time.Minute})
	b.newLead(obj{})
	b.newLead(obj{})
	c := b.ok("GET", "/event/?_limit=1", nil)["cursor_next"].(string)
	b.clock.Advance(time.Minute)
	b.ok("GET", "/event/?_cursor="+c, nil)
	b.clock.Advance(time.Second)
	require.Contains(t, b.bad(400, "GET", "/event/?_cursor="+c, nil)["error"], "cursor")
}

func TestFault_A31_RedactedForUsers(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.newLead(obj{})
	b.key = b.AddKey(RoleUser)
	require.Contains(t, b.events("")[0], "data")
	b.clock.Advance(61 * time.Minute)
	want := sample(t, "event-nonadmin-old-no-data")
	require.NotContains(t, b.events("")[0], "data")
	requireShape(t, want, b.events("")[0], "$")
	b.key = b.Key()
	require.Contains(t, b.events("")[0], "data")
}

func TestFault_A32_LogIsCutAfter30Days(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	b.newLead(obj{})
	id := b.events("")[0]["id"].(string)
	b.clock.Advance(30*24*time.Hour + time.Second)
	require.Empty(t, b.events(""))
	b.bad(404, "GET", "/event/"+id+"/", nil)
}
