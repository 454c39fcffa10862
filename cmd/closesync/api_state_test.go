package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/sync/closeapi"
)

func TestAPIState(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		statuses []int
		ok       bool
	}{
		{"before the first call", nil, true},
		{"good", []int{200}, true},
		{"refused", []int{200, 401}, false},
		{"refused and good again", []int{401, 200}, true},
		{"a limit says nothing about the key", []int{401, 429}, false},
		{"nor does a failure of Close", []int{401, 503}, false},
		{"a record that is gone is an answer", []int{401, 404}, true},
		{"one lost connection", []int{200, 0}, true},
		{"silence", []int{200, 0, 0, 0}, false},
		{"silence that ends", []int{0, 0, 0, 500}, true},
	} {
		var s apiState
		for _, status := range c.statuses {
			s.observe(closeapi.Call{Status: status})
		}
		require.Equal(t, c.ok, s.state().OK, c.name)
		require.Equal(t, c.ok, s.state().Error == nil, c.name)
	}
}
