package live

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/internal/strictfake"
)

// config writes a config file and gives the setting that names it.
func config(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "closesync.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return "CLOSESYNC_CONFIG=" + file
}

// rarely leaves everything to webhooks and triggers.
const rarely = `schedule: {events: "@every 1h", search: "@every 1h", audit: "0 3 1 1 *"}`

const handKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// A subscription made by hand: signed deliveries arrive, everything else is
// answered as contract.md §3 says.
func TestStrict_WebhooksByHand(t *testing.T) {
	t.Parallel()
	s := newStranger(t, strictfake.Options{}, config(t, rarely), "CLOSESYNC_WEBHOOK_KEY="+handKey)
	lead := s.close.Add("lead", map[string]any{"name": "First"})
	other := s.close.Add("lead", map[string]any{"name": "Other"})
	s.close.Today()
	s.run()
	s.loaded()
	url := "http://" + s.listen + "/webhooks/close/default"
	post := func(key string, body []byte, at time.Time) int {
		status, err := strictfake.Post(url, key, body, at)
		require.NoError(t, err)
		return status
	}
	delivery := func(event map[string]any) []byte {
		body, err := json.Marshal(map[string]any{"subscription_id": "whsub_byhand", "event": event})
		require.NoError(t, err)
		return body
	}
	now := time.Now()

	s.close.Edit(lead, map[string]any{"name": "Renamed"})
	require.Equal(t, 200, post(handKey, delivery(s.close.Event(lead, "updated")), now))
	s.until("a delivery is applied", func() bool { return s.text("SELECT name FROM crm.leads WHERE close_id = $1", lead) == "Renamed" })
	for range 3 {
		require.Equal(t, 200, post(handKey, delivery(s.close.Event(lead, "updated")), now))
	}
	require.Equal(t, "1", s.text("SELECT count(*)::text FROM closesync.journal WHERE close_id = $1 AND field = 'name'", lead), "acted on once")

	t.Run("refused", func(t *testing.T) {
		good := delivery(s.close.Event(lead, "updated"))
		require.Equal(t, 401, post(strings.Repeat("ab", 32), good, now), "forged")
		resp, err := http.Post(url, "application/json", strings.NewReader(string(good))) //nolint:noctx // the test ends it
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, 401, resp.StatusCode, "not signed")
		for _, body := range []string{"[]", "null", "7", "{", "", `"x"`, "{} {}"} {
			require.Equal(t, 400, post(handKey, []byte(body), now), "%q", body)
		}
		require.Equal(t, 413, post(handKey, []byte(`{"x":"`+strings.Repeat("x", 5<<20)+`"}`), now))
		status, err := strictfake.Post("http://"+s.listen+"/webhooks/close/nobody", handKey, good, now)
		require.NoError(t, err)
		require.Equal(t, 404, status)
	})

	for kind, action := range map[string]string{"activity.note": "created", "lead": "exploded", "task.lead": "completed"} {
		event := s.close.Event(lead, "updated")
		event["id"], event["object_type"], event["action"] = "ev_"+kind, kind, action
		require.Equal(t, 200, post(handKey, delivery(event), now), "unknown types and actions are taken")
	}
	require.Equal(t, 200, post(handKey, []byte(`{"event":null}`), now))

	// A stale delivery: fetched, not believed.
	old := s.close.Event(lead, "updated")
	s.close.Edit(lead, map[string]any{"name": "Newest"})
	old["id"], old["data"].(map[string]any)["name"] = "ev_old", "A lie"
	require.Equal(t, 200, post(handKey, delivery(old), now.Add(-24*time.Hour)))
	s.until("a stale delivery makes us look", func() bool { return s.text("SELECT name FROM crm.leads WHERE close_id = $1", lead) == "Newest" })

	s.close.Remove(other)
	require.Equal(t, 200, post(handKey, delivery(s.close.Event(other, "deleted")), now))
	s.until("a deletion arrives", func() bool { return s.text("SELECT count(*)::text FROM crm.leads") == "1" })
	require.Equal(t, "deleted", s.text("SELECT state FROM closesync.record_status WHERE close_id = $1", other))
	_, body := s.fetch("/api/status")
	require.Contains(t, strings.Join(strings.Fields(body), ""), `"state":"unmanaged"`)
	require.Empty(t, s.close.Writes())
	s.equal()
}

// Without a database a delivery is refused in time, and Close will repeat it.
func TestStrict_WebhookWithoutDatabase(t *testing.T) {
	t.Parallel()
	s := newStranger(t, strictfake.Options{}, config(t, rarely), "CLOSESYNC_WEBHOOK_KEY="+handKey)
	lead := s.close.Add("lead", map[string]any{"name": "First"})
	s.close.Today()
	gate := newGate(t, s.DSN)
	for i, e := range s.env {
		if strings.HasPrefix(e, "DATABASE_URL=") {
			s.env[i] = "DATABASE_URL=" + gate.dsn
		}
	}
	s.run()
	s.loaded()
	s.close.Edit(lead, map[string]any{"name": "While away"})
	event := s.close.Event(lead, "updated")
	body, err := json.Marshal(map[string]any{"subscription_id": "whsub_byhand", "event": event})
	require.NoError(t, err)
	url := "http://" + s.listen + "/webhooks/close/default"
	gate.shut(true)
	began := time.Now()
	status, err := strictfake.Post(url, handKey, body, began)
	require.NoError(t, err)
	require.Equal(t, 503, status)
	require.Less(t, time.Since(began), 5*time.Second)
	status, _ = s.fetch("/readyz")
	require.Equal(t, 503, status)
	status, _ = s.fetch("/healthz")
	require.Equal(t, 200, status)
	gate.shut(false)
	s.until("taken again", func() bool {
		status, err := strictfake.Post(url, handKey, body, time.Now())
		return err == nil && status == 200
	})
	s.equal()
	s.until("ready again", func() bool { status, _ := s.fetch("/readyz"); return status == 200 })
}
