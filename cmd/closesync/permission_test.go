package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/closeapi"
)

// While Close is asked again, which may take as long as Close likes, everybody
// else gets the last answer at once.
func TestPermission_NobodyWaitsForAnotherToAsk(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-answer
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer s.Close()
	client, err := closeapi.New(closeapi.Options{BaseURL: s.URL, Key: "api_1.x"})
	require.NoError(t, err)
	defer client.CloseIdle()
	before := errors.New("close does not answer")
	c := &conn{name: "default", client: client}
	require.Equal(t, before, c.permission.decide("orga_1", before))
	require.Equal(t, before, c.allowed(t.Context()), "it was asked just now")

	c.permission.asked = time.Now().Add(-time.Minute)
	done := make(chan error, 1)
	go func() { done <- c.allowed(t.Context()) }()
	<-asked
	require.Equal(t, before, c.allowed(t.Context()))
	require.Equal(t, "orga_1", c.permission.of())
	close(answer)
	require.ErrorContains(t, <-done, "refuses the API key")
	require.ErrorContains(t, c.allowed(t.Context()), "refuses the API key")
	require.Equal(t, "orga_1", c.permission.of(), "no answer tells of another organization")
}
