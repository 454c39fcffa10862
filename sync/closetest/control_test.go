package closetest

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (b *bundle) control(method, what, body string) (int, obj) {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.ServeHTTP(w, httptest.NewRequest(method, "/_control/"+what, strings.NewReader(body)))
	var out obj
	require.NoError(b.t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
	return w.Code, out
}

// TestControl makes every call that the control API lists.
func TestControl(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Control: true})
	called := map[string]bool{}
	post := func(what string, body obj) obj {
		t.Helper()
		called[what] = true
		code, out := b.control("POST", what, string(encode(body)))
		require.Equal(t, 200, code, "%s: %v", what, out)
		return out
	}
	id := post("create", obj{"object_type": "lead", "fields": obj{"name": "A"}})["id"].(string)
	require.Equal(t, "B", post("update", obj{"id": id, "fields": obj{"name": "B"}})["name"])
	require.Nil(t, b.events("")[0]["api_key_id"], "a person in the app")
	post("update", obj{"id": id, "fields": obj{"url": "a.example"}, "api_key_id": b.key[:26]})
	require.Equal(t, b.key[:26], b.events("")[0]["api_key_id"], "or whoever is named")
	require.Equal(t, "B", post("get", obj{"id": id})["name"])
	require.Len(t, post("list", obj{"object_type": "lead"})["data"], 1)
	require.NotEmpty(t, post("changes", obj{"id": id})["data"])
	post("hide", obj{"id": id, "hidden": true})
	b.bad(404, "GET", "/lead/"+id+"/", nil)
	post("hide", obj{"id": id, "hidden": false})

	field := post("custom_field/create", obj{"object_type": "lead", "fields": obj{"name": "Tier", "type": "text"}})["id"]
	post("custom_field/update", obj{"id": field, "fields": obj{"name": "Level"}})
	post("custom_field/delete", obj{"id": field})
	status := post("status/create", obj{"object_type": "lead", "fields": obj{"label": "Cold"}})["id"]
	post("status/rename", obj{"id": status, "label": "Warm"})
	require.EqualValues(t, 1, post("bulk/edit", obj{"query": is("lead"), "fields": obj{"status_id": status}})["leads"])
	require.Equal(t, "Warm", post("get", obj{"id": id})["status_label"])
	post("status/delete", obj{"id": status})
	user := post("user/create", obj{"first_name": "Ada", "last_name": "Byron"})["id"]
	post("user/active", obj{"id": user, "active": false})
	post("currency", obj{"currency": "USD"})

	before := b.clock.Now()
	post("clock", obj{"advance": "90s"})
	require.Equal(t, 90*time.Second, b.clock.Now().Sub(before))
	post("fault", obj{"path": "/me/", "kind": "status", "status": 500, "times": 1})
	b.bad(500, "GET", "/me/", nil)
	post("faults", nil)
	require.EqualValues(t, 3, post("seed", obj{"leads": 3})["leads"])
	post("limits", obj{"key": 1})
	b.ok("GET", "/me/", nil)
	b.bad(429, "GET", "/me/", nil)
	post("limits", obj{"key": 2})
	post("limits/drain", obj{"group": "GET me", "requests": 6})
	b.bad(429, "GET", "/me/", nil)
	post("limits", obj{})
	post("latency", obj{"latency": "0s"})
	post("timing", obj{"consolidation": "3s", "index_lag": "1m"})
	require.Equal(t, 3*time.Second, b.opt.Consolidation)
	code, out := b.control("POST", "timing", `{"speed":"1s"}`)
	require.Equal(t, 400, code)
	require.Contains(t, out["error"], "event_lag")

	hook := b.ok("POST", "/webhook/", obj{"url": "http://127.0.0.1:1/", "events": []any{on("lead", "created")}})
	post("webhooks/disorder", obj{"duplicate": 0.5, "shuffle": true})
	require.InDelta(t, 0.5, b.opt.Webhooks.Duplicate, 0)
	post("webhooks/disorder", obj{"duplicate": 0})
	require.True(t, b.opt.Webhooks.Shuffle, "what is not named stays")
	other := post("create", obj{"object_type": "lead", "fields": obj{}})["id"]
	require.EqualValues(t, 1, post("webhooks/flush", nil)["sent"])
	post("webhooks/drop", nil)
	require.Zero(t, b.QueuedWebhooks())
	post("webhooks/pause", obj{"id": hook["id"]})
	require.Equal(t, "paused", b.ok("GET", "/webhook/"+hook["id"].(string)+"/", nil)["status"])

	post("merge", obj{"source": other, "destination": id})
	post("delete", obj{"id": id})
	code, _ = b.control("POST", "delete", `{"id":"`+id+`"}`)
	require.Equal(t, 404, code)
	require.EqualValues(t, 3, post("bulk/delete", obj{})["leads"])
	key := post("key", obj{"role": "user"})["key"].(string)
	post("key/revoke", obj{"key_id": key[:26], "revoked": true})
	b.key = key
	b.bad(401, "GET", "/me/", nil)
	post("cursors/rotate", nil)

	_, out = b.control("GET", "requests", "")
	require.NotEmpty(t, out["data"])
	_, out = b.control("DELETE", "requests", "")
	require.Empty(t, out["data"])
	_, out = b.control("GET", "violations", "")
	require.Empty(t, out["data"])
	called["requests"], called["violations"] = true, true

	_, out = b.control("GET", "", "")
	require.Len(t, out["data"], len(ControlCalls()))
	for _, c := range ControlCalls() {
		require.True(t, called[c.Name], "%s is not tested", c.Name)
		require.NotEmpty(t, c.Does, c.Name)
	}
}

func TestControl_Refusals(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Control: true})
	code, out := b.control("POST", "nonsense", `{}`)
	require.Equal(t, 404, code)
	require.Contains(t, out["error"], "/_control/")
	for what, body := range map[string]string{"create": `{`, "latency": `{"latency":"soon"}`, "clock": `{"advance":"x"}`,
		"fault": `{"nth":"x"}`, "limits": `{"key":"x"}`, "timing": `{"index_lag":"x"}`, "webhooks/disorder": `{"drop":"x"}`} {
		code, _ := b.control("POST", what, body)
		require.Equal(t, 400, code, what)
	}
	real := New(Options{Control: true})
	w := httptest.NewRecorder()
	real.ServeHTTP(w, httptest.NewRequest("POST", "/_control/clock", strings.NewReader(`{"advance":"1s"}`)))
	require.Equal(t, 400, w.Code, "a real clock cannot be moved")
}

func TestControl_NeedsTheOption(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	code, _ := b.control("GET", "requests/", "")
	require.Equal(t, 401, code)
}
