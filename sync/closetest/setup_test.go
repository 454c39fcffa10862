package closetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type obj = map[string]any

// bundle is a server with a virtual clock, called without sockets.
type bundle struct {
	*Server
	t     *testing.T
	clock *Clock
	key   string
}

func setup(t *testing.T, o Options) *bundle {
	t.Helper()
	c := NewClock(start)
	o.Clock = c
	if o.Seed == 0 {
		o.Seed = 1
	}
	s := New(o)
	return &bundle{s, t, c, s.Key()}
}

func (b *bundle) do(method, path string, body any, header ...string) (int, obj, http.Header) {
	b.t.Helper()
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		require.NoError(b.t, err)
		in = strings.NewReader(string(raw))
	}
	r := httptest.NewRequest(method, "/api/v1"+path, in)
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(b.key, "")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	var out obj
	require.NoError(b.t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
	return w.Code, out, w.Header()
}

// send posts any text.
func (b *bundle) send(path, body string) int {
	r := httptest.NewRequest(http.MethodPost, "/api/v1"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(b.key, "")
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w.Code
}

// raw asks without reading the answer as JSON.
func (b *bundle) raw(method, path string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(method, "/api/v1"+path, nil)
	r.SetBasicAuth(b.key, "")
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

// ok expects 200 and returns the answer.
func (b *bundle) ok(method, path string, body any, header ...string) obj {
	b.t.Helper()
	code, out, _ := b.do(method, path, body, header...)
	require.Equal(b.t, 200, code, "%v", out)
	return out
}

func (b *bundle) bad(status int, method, path string, body any) obj {
	b.t.Helper()
	code, out, _ := b.do(method, path, body)
	require.Equal(b.t, status, code, "%v", out)
	return out
}

func (b *bundle) newLead(fields obj) string {
	b.t.Helper()
	return b.ok("POST", "/lead/", fields)["id"].(string)
}

func (b *bundle) events(filter string) []obj {
	b.t.Helper()
	var out []obj
	for _, e := range b.ok("GET", "/event/?"+filter, nil)["data"].([]any) {
		out = append(out, e.(obj))
	}
	return out
}

func rows(page obj) []obj {
	out := []obj{}
	for _, r := range page["data"].([]any) {
		out = append(out, r.(obj))
	}
	return out
}

func ids(page obj) []string {
	out := []string{}
	for _, r := range rows(page) {
		out = append(out, r["id"].(string))
	}
	return out
}

func sample(t *testing.T, name string) any {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name + ".json")
	require.NoError(t, err)
	var v any
	require.NoError(t, json.Unmarshal(raw, &v))
	return v
}

// requireShape checks that have shows every key of want with the same JSON
// type, where null stands for any and custom fields are not compared.
func requireShape(t *testing.T, want, have any, at string) {
	t.Helper()
	switch w := want.(type) {
	case obj:
		h, ok := have.(obj)
		require.True(t, ok, "%s: want an object, have %T", at, have)
		for k, v := range w {
			if at == "$.previous_data" && h[k] == nil {
				continue
			}
			if strings.HasPrefix(k, "custom.") || at == "$.custom" || strings.HasSuffix(at, ".custom") {
				continue
			}
			require.Contains(t, h, k, at)
			requireShape(t, v, h[k], at+"."+k)
		}
		for k := range h {
			if !strings.HasPrefix(k, "custom.") && at != "$.previous_data" && !strings.HasSuffix(at, ".custom") {
				require.Contains(t, w, k, "%s has more than the sample", at)
			}
		}
	case []any:
		h, ok := have.([]any)
		require.True(t, ok, "%s: want a list, have %T", at, have)
		if len(w) > 0 && len(h) > 0 {
			requireShape(t, w[0], h[0], at+"[0]")
		}
	case nil:
	default:
		if have != nil {
			require.Equal(t, fmt.Sprintf("%T", want), fmt.Sprintf("%T", have), at)
			if s, ok := want.(string); ok {
				requireSameStamp(t, s, have.(string), at)
			}
		}
	}
}

// requireSameStamp: zone or none, as the sample has it.
func requireSameStamp(t *testing.T, want, have, at string) {
	t.Helper()
	if _, err := time.Parse("2006-01-02T15:04:05", want[:min(19, len(want))]); err != nil || len(want) < 19 {
		return
	}
	require.Equal(t, strings.HasSuffix(want, "+00:00"), strings.HasSuffix(have, "+00:00"), "%s: %s", at, have)
	require.Len(t, have, len(want), at)
}
