package closetest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// file downloads an export without a key, as its host serves it.
func (b *bundle) file(export obj) string {
	b.t.Helper()
	u, err := url.Parse(export["download_url"].(string))
	require.NoError(b.t, err)
	w := httptest.NewRecorder()
	b.ServeHTTP(w, httptest.NewRequest("GET", u.Path, nil))
	require.Equal(b.t, 200, w.Code)
	z, err := gzip.NewReader(bytes.NewReader(w.Body.Bytes()))
	require.NoError(b.t, err)
	text, err := io.ReadAll(z)
	require.NoError(b.t, err)
	return string(text)
}

func TestExport(t *testing.T) {
	t.Parallel()
	b := setup(t, Options{Leads: 5, ExportDelay: time.Minute})
	e := b.ok("POST", "/export/lead/", obj{"format": "json", "type": "leads"})
	require.Equal(t, "created", e["status"])
	path := "/export/" + e["id"].(string) + "/"
	b.clock.Advance(40 * time.Second)
	e = b.ok("GET", path, nil)
	require.Equal(t, "in_progress", e["status"])
	require.Nil(t, e["download_url"])
	b.newLead(obj{"name": "Late"})
	b.clock.Advance(time.Minute)
	var leads []obj
	require.NoError(t, json.Unmarshal([]byte(b.file(b.ok("GET", path, nil))), &leads))
	require.Len(t, leads, 6, "the snapshot is of the end, not of the request")
	require.Len(t, leads[0]["contacts"], 2)

	b.opt.ExportDelay = 0
	q := obj{"type": "and", "queries": []any{is("lead"), obj{"type": "id", "value": b.List("lead")[2]["id"]}}}
	text := b.file(b.ok("POST", "/export/lead/", obj{"format": "json", "type": "contacts", "s_query": q}))
	require.Equal(t, 2, strings.Count(text, `"display_name"`), "contacts of the leads that match")
	text = b.file(b.ok("POST", "/export/opportunity/", obj{"format": "json", "params": obj{"value": nil, "lead_id": b.List("lead")[1]["id"]}}))
	require.Equal(t, 1, strings.Count(text, `"confidence"`))
	require.NotContains(t, text, "note_html")
	text = b.file(b.ok("POST", "/export/lead/", obj{"format": "csv", "type": "leads"}))
	require.Len(t, strings.Split(strings.TrimSpace(text), "\n"), 7)

	b.bad(400, "POST", "/export/lead/", obj{"format": "xml", "type": "leads"})
	b.bad(400, "POST", "/export/lead/", obj{"format": "json", "type": "notes"})
	b.bad(404, "GET", "/export/expo_none/", nil)
	b.key = b.AddKey(RoleUser)
	b.bad(403, "POST", "/export/lead/", obj{"format": "json", "type": "leads"})
}
