//go:build !race

package harness

import "testing"

// crashEvery: behind how many steps of a scenario the worker is killed once.
const crashEvery = 5

// heavy marks a test of great numbers, which runs without the race detector.
func heavy(*testing.T) {}
