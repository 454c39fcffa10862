package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// keeper is a Local that only takes events.
type keeper struct {
	Local
	parts [][]Event
	err   error
}

func (k *keeper) Accept(_ context.Context, _ string, events []Event) (int, error) {
	if k.err != nil {
		return 0, k.err
	}
	k.parts = append(k.parts, events)
	return len(events), nil
}

// order lists the ids that were kept, part by part.
func (k *keeper) order() (ids []string) {
	for _, part := range k.parts {
		for _, e := range part {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// page is one of the log, each event with a body of so many bytes.
func page(size int, ids ...string) []Event {
	list := make([]Event, len(ids))
	for i, id := range ids {
		list[i] = Event{ID: id, Body: make([]byte, size)}
	}
	return list
}

func TestGathered_OldestFirst(t *testing.T) {
	t.Parallel()
	var g gathered
	k := &keeper{}
	require.NoError(t, g.take(t.Context(), k, page(10, "6", "5")))
	require.NoError(t, g.take(t.Context(), k, page(10, "4", "3")))
	require.Empty(t, k.parts, "older ones may follow")
	require.NoError(t, g.take(t.Context(), k, page(10, "2", "1")))
	require.NoError(t, g.store(t.Context(), k))
	require.Equal(t, []string{"1", "2", "3", "4", "5", "6"}, k.order())
	require.Equal(t, 6, g.fresh)
	require.NoError(t, g.store(t.Context(), k))
	require.Len(t, k.order(), 6, "once")
}

func TestGathered_HoldsNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	var g gathered
	k := &keeper{}
	require.NoError(t, g.take(t.Context(), k, page(gatherBytes/4, "8", "7", "6", "5")))
	require.Equal(t, []string{"5", "6", "7", "8"}, k.order())
	require.NoError(t, g.take(t.Context(), k, page(gatherBytes/4, "4", "3")))
	require.Len(t, k.order(), 4)
	require.NoError(t, g.store(t.Context(), k))
	require.Equal(t, []string{"5", "6", "7", "8", "3", "4"}, k.order())
}

func TestGathered_InPartsThatEndSoon(t *testing.T) {
	t.Parallel()
	var g gathered
	k := &keeper{}
	require.NoError(t, g.take(t.Context(), k, make([]Event, gatherStored+1)))
	require.NoError(t, g.store(t.Context(), k))
	require.Len(t, k.parts, 2)
}

func TestGathered_WhatFailedIsNotTriedTwice(t *testing.T) {
	t.Parallel()
	var g gathered
	k := &keeper{err: errors.New("no database")}
	require.ErrorIs(t, g.take(t.Context(), k, page(gatherBytes, "1")), k.err)
	k.err = nil
	require.NoError(t, g.store(t.Context(), k))
	require.Empty(t, k.parts)
}
