package live

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestLive_BothDirections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	code, _, _ := command(t, w.env, "healthcheck")
	require.Equal(t, 1, code, "no worker runs")
	w.run()
	code, _, stderr := command(t, w.env, "healthcheck")
	require.Equal(t, 0, code, stderr)
	w.loaded()
	w.Equal()
	require.Equal(t, 0, w.number("SELECT count(*) FROM closesync.journal"), "the first load is summed up")
	w.until("the subscription is kept", func() bool {
		return w.number(`SELECT count(*) FROM closesync.connections WHERE webhook ->> 'state' = 'active'`) == 1
	})

	heard := w.changes(t)
	lead := w.List("lead")[0]["id"].(string)
	w.tell("update", map[string]any{"id": lead, "fields": map[string]any{"name": "Renamed in Close"}}, nil)
	w.until("an edit in Close arrives", func() bool {
		return w.number("SELECT count(*) FROM crm.leads WHERE close_id = $1 AND name = 'Renamed in Close'", lead) == 1
	})
	change := heard(t)
	require.Equal(t, lead, change["close_id"])
	require.Equal(t, "update", change["action"])
	require.Equal(t, "lead", change["object_type"])
	require.Equal(t, "default", change["connection"])
	require.Equal(t, 1, w.number("SELECT count(*) FROM closesync.journal WHERE id = $1 AND direction = 'from_close' AND close_id = $2",
		int64(change["journal_id"].(float64)), lead))
	require.Equal(t, 1, w.number(`SELECT count(*) FROM closesync.journal
		WHERE field = 'name' AND close_id = $1 AND new_value = '"Renamed in Close"' AND direction = 'from_close'`, lead))

	w.SQL("UPDATE crm.leads SET description = 'Written here' WHERE close_id = $1", lead)
	w.until("an edit here arrives in Close", func() bool { return w.closeField("lead", lead, "description") == "Written here" })
	w.SQL(`WITH l AS (INSERT INTO crm.leads (name) VALUES ('Made here') RETURNING id)
		INSERT INTO crm.contacts (lead_id, name) SELECT id, 'Child' FROM l`)
	w.until("an insert has its Close id", func() bool {
		return w.number("SELECT count(*) FROM crm.leads l JOIN crm.contacts c ON c.lead_id = l.id WHERE l.name = 'Made here' AND c.close_id <> '' AND l.close_id <> ''") == 1
	})
	w.until("at rest", w.idle)
	w.Equal()
	require.Positive(t, w.number("SELECT count(*) FROM closesync.connections WHERE last_delivery_at > now() - interval '1 minute'"))
	w.pages(t)
}

// pages asks what anyone may ask.
func (w *world) pages(t *testing.T) {
	t.Helper()
	status, body := w.fetch("/readyz")
	require.Equal(t, http.StatusOK, status, body)
	status, body = w.fetch("/metrics")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "closesync_close_requests_total")
	_, body = w.fetch("/api/status")
	var doc struct {
		Connections []struct {
			Webhook struct {
				State string `json:"state"`
				Last  string `json:"last_delivery_at"`
			} `json:"webhook"`
			Objects map[string]struct {
				Linked int `json:"linked"`
			} `json:"objects"`
		} `json:"connections"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &doc), body)
	require.Len(t, doc.Connections, 1)
	require.Equal(t, "active", doc.Connections[0].Webhook.State)
	require.NotEmpty(t, doc.Connections[0].Webhook.Last)
	require.Equal(t, 51, doc.Connections[0].Objects["lead"].Linked)
}

// closeField reads one field of a record from the imitation.
func (w *world) closeField(objectType, id, field string) any {
	for _, fields := range w.List(objectType) {
		if fields["id"] == id {
			return fields[field]
		}
	}
	return nil
}

// changes hears closesync_changes; the function gives the next payload.
func (w *world) changes(t *testing.T) func(*testing.T) map[string]any {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.DSN)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	_, err = conn.Exec(t.Context(), "LISTEN closesync_changes")
	require.NoError(t, err)
	return func(t *testing.T) map[string]any {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		n, err := conn.WaitForNotification(ctx)
		require.NoError(t, err)
		var payload map[string]any
		require.NoError(t, json.Unmarshal([]byte(n.Payload), &payload))
		return payload
	}
}

func TestLive_ASubscriptionPausedByCloseComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	w.run()
	w.loaded()
	w.until("subscribed", func() bool {
		return w.number(`SELECT count(*) FROM closesync.connections WHERE webhook ->> 'state' = 'active'`) == 1
	})
	w.worker.kill()
	lead := w.List("lead")[0]["id"].(string)
	w.tell("update", map[string]any{"id": lead, "fields": map[string]any{"name": "While away"}}, nil)
	began := time.Now()
	w.run()
	w.until("what was missed arrives", func() bool {
		return w.number("SELECT count(*) FROM crm.leads WHERE name = 'While away'") == 1
	})
	t.Logf("arrived %s after the start", time.Since(began).Round(time.Millisecond))
	w.until("at rest", w.idle)
	w.Equal()
}
