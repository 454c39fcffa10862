package sim

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A reason that the merge gains has to be told apart here: either it happens in
// these worlds, or something is said about why not.
func TestReached_EveryReasonHasItsPlace(t *testing.T) {
	source, err := os.ReadFile("../../sync/reconcile/reason.go")
	require.NoError(t, err)
	var all, placed []string
	for _, m := range regexp.MustCompile(`Reason\w+ +Reason = "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		all = append(all, m[1])
	}
	for _, r := range slices.Concat(reasons, slices.Collect(maps.Keys(elsewhere))) {
		placed = append(placed, string(r))
	}
	require.Greater(t, len(all), 20)
	require.ElementsMatch(t, all, placed)
}

func TestReached_WhatNeverHappensIsMissing(t *testing.T) {
	r := reached{}
	require.Empty(t, r.missing(rare-1))
	require.Equal(t, mustHappen(), r.missing(rare))
	for _, name := range mustHappen() {
		r[name] = 1
	}
	r["fault hang"] = 0
	require.Equal(t, []string{"fault hang"}, r.missing(rare))
	require.Contains(t, r.table(), "hang 0  hang_after 1")
}
