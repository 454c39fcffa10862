package live

import (
	"regexp"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"closesync/internal/harness"
	"closesync/internal/testdb"
	"closesync/mapping"
)

var controlInLog = regexp.MustCompile(`"control":"([^"]+)"`)

// The demo: worker and imitation in one process, webhooks included.
func TestLive_RunSandbox(t *testing.T) {
	t.Parallel()
	w := &world{World: &harness.World{T: t, DSN: testdb.New(t)}, listen: freeAddress(t)}
	w.env = []string{"DATABASE_URL=" + w.DSN, "CLOSESYNC_LISTEN=" + w.listen, "CLOSESYNC_LOG_FORMAT=json"}
	pool, err := pgxpool.New(t.Context(), w.DSN)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	w.Pool = pool
	w.Objects, _ = mapping.Bind(nil)
	w.List = w.list
	w.run("--sandbox")
	found := controlInLog.FindStringSubmatch(w.worker.log.String())
	require.NotEmpty(t, found)
	w.control = found[1]
	w.loaded()
	w.until("subscribed by itself", func() bool {
		return w.number(`SELECT count(*) FROM closesync.connections WHERE webhook ->> 'state' = 'active'`) == 1
	})
	lead := w.List("lead")[0]["id"].(string)
	w.tell("update", map[string]any{"id": lead, "fields": map[string]any{"name": "Told by webhook"}}, nil)
	w.until("a webhook is delivered", func() bool {
		return w.number("SELECT count(*) FROM closesync.connections WHERE last_delivery_at IS NOT NULL") == 1 &&
			w.number("SELECT count(*) FROM crm.leads WHERE name = 'Told by webhook'") == 1
	})
	w.until("at rest", w.idle)
	w.Equal()
}
