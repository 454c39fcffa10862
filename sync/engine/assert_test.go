package engine_test

import (
	"closesync/sync/engine"
	"closesync/sync/store"
)

var _ engine.Local = (*store.Store)(nil)
