package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"closesync/sync/engine"
	"closesync/sync/store"
)

func TestLagsOfEachDirection(t *testing.T) {
	t.Parallel()
	var l lags
	require.Zero(t, l.status())
	for i := range 100 {
		l.add(engine.FromClose, time.Duration(i)*time.Second)
	}
	l.add(engine.ToClose, 200*time.Second)
	require.Equal(t, store.Lag{FromCloseP50: 50, FromCloseP99: 99, ToCloseP50: 200, ToCloseP99: 200}, l.status())
}
