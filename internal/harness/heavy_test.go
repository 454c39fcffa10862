//go:build !race

package harness

import "testing"

// heavy marks a test of great numbers, which runs without the race detector.
func heavy(*testing.T) {}
