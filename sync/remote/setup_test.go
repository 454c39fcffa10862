package remote

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/closeapi"
	"closesync/sync/closetest"
	"closesync/sync/engine"
)

func objects() map[string]*mapping.Object {
	all := map[string]*mapping.Object{}
	for _, objectType := range mapping.Types() {
		o := mapping.Default(objectType)
		if o.Custom == "" {
			o.Custom = "custom"
		}
		all[objectType] = o
	}
	return all
}

// connect makes a Remote for an address of the API.
func connect(t *testing.T, base, key string, change func(*Options)) *Remote {
	t.Helper()
	// Waiting moves the client's clock and takes no time.
	var slept atomic.Int64
	client, err := closeapi.New(closeapi.Options{
		BaseURL: base, Key: closeapi.Secret(key),
		Now:   func() time.Time { return time.Now().Add(time.Duration(slept.Load())) },
		Sleep: func(_ context.Context, d time.Duration) error { slept.Add(int64(d)); return nil },
	})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdle)
	o := Options{Client: client, Objects: objects(), APIKeyID: key, CanSeeAll: true}
	if change != nil {
		change(&o)
	}
	return New(o)
}

// imitation starts Close's imitation and connects to it.
func imitation(t *testing.T, o closetest.Options, change func(*Options)) (*closetest.Server, *Remote) {
	t.Helper()
	srv := closetest.New(o)
	base := srv.Start(t)
	return srv, connect(t, base, srv.Key(), func(o *Options) {
		o.OrganizationID = srv.OrganizationID()
		if change != nil {
			change(o)
		}
	})
}

// answering serves one answer to every call.
func answering(t *testing.T, status int, body string) *Remote {
	t.Helper()
	return serving(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func serving(t *testing.T, h http.HandlerFunc) *Remote {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return connect(t, srv.URL+"/api/v1/", "api_own.secret", func(o *Options) { o.OrganizationID = "orga_1" })
}

func requireClass(t *testing.T, err error, class string) {
	t.Helper()
	call := callOf(t, err)
	require.Equal(t, class, call.Class, call.Message)
}

// callOf is the call's error within err.
func callOf(t *testing.T, err error) *engine.CallError {
	t.Helper()
	var call *engine.CallError
	require.ErrorAs(t, err, &call)
	return call
}
