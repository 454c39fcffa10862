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

func TestControl(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Control: true})
	post := func(what, body string) obj {
		code, out := b.control("POST", what, body)
		require.Equal(t, 200, code, "%s: %v", what, out)
		return out
	}
	lead := post("create", `{"object_type":"lead","fields":{"name":"A"}}`)
	id := lead["id"].(string)
	require.Equal(t, "B", post("update", `{"id":"`+id+`","fields":{"name":"B"}}`)["name"])
	require.Nil(t, b.events("")[0]["api_key_id"], "a person in the app")
	require.Equal(t, "B", post("get", `{"id":"`+id+`"}`)["name"])
	require.Len(t, post("list", `{"object_type":"lead"}`)["data"], 1)
	post("hide", `{"id":"`+id+`","hidden":true}`)
	b.bad(404, "GET", "/lead/"+id+"/", nil)
	before := b.clock.Now()
	post("clock", `{"advance":"90s"}`)
	require.Equal(t, 90*time.Second, b.clock.Now().Sub(before))
	post("fault", `{"path":"/me/","kind":"status","status":500,"times":1}`)
	b.bad(500, "GET", "/me/", nil)
	require.EqualValues(t, 3, post("seed", `{"leads":3}`)["leads"])
	post("limits", `{"key":1}`)
	b.ok("GET", "/me/", nil)
	b.bad(429, "GET", "/me/", nil)
	_, out := b.control("GET", "requests", "")
	require.NotEmpty(t, out["data"])
	_, out = b.control("DELETE", "requests", "")
	require.Empty(t, out["data"])
	_, out = b.control("GET", "violations", "")
	require.Empty(t, out["data"])
	other := post("create", `{"object_type":"lead","fields":{}}`)["id"].(string)
	post("merge", `{"source":"`+other+`","destination":"`+id+`"}`)
	post("delete", `{"id":"`+id+`"}`)
	code, _ := b.control("POST", "delete", `{"id":"`+id+`"}`)
	require.Equal(t, 404, code)
	require.EqualValues(t, 0, post("webhooks/flush", "")["sent"])
	require.Contains(t, post("key", `{"role":"user"}`)["key"], "api_")
	post("latency", `{"latency":"0s"}`)
	post("cursors/rotate", "")
	post("faults", "")
}

func TestControl_NeedsTheOption(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{})
	code, _ := b.control("GET", "requests/", "")
	require.Equal(t, 401, code)
}
