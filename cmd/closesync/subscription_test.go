package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
	"closesync/sync/store"
)

// Two workers that found the subscription gone would both make one.
func TestFault_B23_OneSubscriberAtATime(t *testing.T) {
	w := newWorld(t, 0)
	w.connection()
	objects, problems := mapping.Bind(nil)
	require.Empty(t, problems)
	var stores []*store.Store
	for range 2 {
		s, err := store.Open(t.Context(), store.Options{Pool: w.pool, Connection: "default", Objects: objects})
		require.NoError(t, err)
		stores = append(stores, s)
	}
	first, second := 0, 0
	at := func(n *int) func() error { return func() error { *n++; return nil } }
	require.NoError(t, oneSubscriber(t.Context(), stores[0], func() error {
		first++
		return oneSubscriber(t.Context(), stores[1], at(&second))
	}))
	require.Equal(t, []int{1, 0}, []int{first, second}, "while one is at it the other does nothing")
	require.NoError(t, oneSubscriber(t.Context(), stores[1], at(&second)))
	require.Equal(t, 1, second, "it is free again")
}
