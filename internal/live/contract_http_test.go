package live

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/internal/strictfake"
)

const adminToken = "an-admin-token-of-a-test"

// ask gives the status of a GET with a header, "" for none.
func (w *world) ask(path, authorization string) int {
	w.T.Helper()
	req, err := http.NewRequestWithContext(w.T.Context(), http.MethodGet, "http://"+w.listen+path, nil)
	require.NoError(w.T, err)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(w.T, err)
	require.NoError(w.T, resp.Body.Close())
	return resp.StatusCode
}

func basic(password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+password))
}

// contract.md §3: what is open to whom, with a token and without one.
func TestStrict_WhoMayLook(t *testing.T) {
	t.Parallel()
	closed, open := []string{"/", "/jobs/", "/api/status"}, []string{"/healthz", "/readyz", "/metrics"}
	for _, c := range []struct {
		name, address string
		env           []string
		none, good    int
	}{
		{"loopback, no token", "127.0.0.1", nil, 200, 200},
		{"loopback, token", "127.0.0.1", []string{"CLOSESYNC_ADMIN_TOKEN=" + adminToken}, 401, 200},
		{"everywhere, no token", "0.0.0.0", nil, 403, 403},
		{"everywhere, token", "0.0.0.0", []string{"CLOSESYNC_ADMIN_TOKEN=" + adminToken}, 401, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStranger(t, strictfake.Options{}, append(c.env, "CLOSESYNC_WEBHOOK_KEY="+handKey)...)
			_, port, _ := strings.Cut(s.listen, ":")
			s.env = append(s.env, "CLOSESYNC_LISTEN="+c.address+":"+port)
			s.run()
			s.until("ready", func() bool { return s.ask("/readyz", "") == 200 })
			for _, path := range closed {
				require.Equal(t, c.none, s.ask(path, ""), path)
				require.Equal(t, c.good, s.ask(path, "Bearer "+adminToken), path)
				require.Equal(t, c.good, s.ask(path, basic(adminToken)), path)
				require.Equal(t, c.none, s.ask(path, basic("wrong")), path)
			}
			for _, path := range open {
				require.Equal(t, 200, s.ask(path, ""), path)
			}
			status, err := strictfake.Post("http://"+s.listen+"/webhooks/close/default", handKey, []byte(`{"event":null}`), time.Now())
			require.NoError(t, err)
			require.Equal(t, 200, status, "deliveries need no token")
		})
	}
}

// No secret is in anything that is printed, at any level, whatever goes wrong.
func TestStrict_SecretsAreNotTold(t *testing.T) {
	t.Parallel()
	s := newStranger(t, strictfake.Options{}, "CLOSESYNC_WEBHOOK_KEY="+handKey, "CLOSESYNC_ADMIN_TOKEN="+adminToken, "CLOSESYNC_LOG_LEVEL=debug")
	lead := s.close.Add("lead", map[string]any{"name": "First"})
	s.close.Today()
	s.run()
	s.until("ready", func() bool { return s.ask("/readyz", "") == 200 })
	s.ask("/", "Bearer wrong")
	s.exec("UPDATE crm.leads SET status_id = 'stat_none' WHERE close_id = $1", lead)
	for _, key := range []string{handKey, strings.Repeat("ab", 32)} {
		body, err := json.Marshal(map[string]any{"event": s.close.Event(lead, "updated")})
		require.NoError(t, err)
		_, err = strictfake.Post("http://"+s.listen+"/webhooks/close/default", key, body, time.Now())
		require.NoError(t, err)
	}
	var told strings.Builder
	unreachable := append(append([]string{}, s.env...), "DATABASE_URL=postgres://worker:the-database-password@127.0.0.1:1/none")
	for _, args := range [][]string{{"config", "show"}, {"status"}, {"status", "--json"}, {"check"}, {"connection", "list", "--json"}, {"request", "GET", "/lead/lead_none/"}} {
		for _, env := range [][]string{s.env, unreachable} {
			_, out, log := command(t, env, args...)
			_, _ = fmt.Fprintln(&told, out, log)
		}
	}
	s.worker.kill()
	told.WriteString(s.worker.log.String())
	require.Contains(t, told.String(), "log_level: debug")
	require.Contains(t, told.String(), "closesync runs")
	for name, secret := range map[string]string{
		"API key": s.close.Key, "API key as sent": base64.StdEncoding.EncodeToString([]byte(s.close.Key + ":")), "signature key": handKey,
		"admin token": adminToken, "database password": "the-database-password",
	} {
		require.NotContains(t, told.String(), secret, name)
	}
}
