package testdb

import (
	"context"
	"testing"

	"go.uber.org/goleak"
)

// Run runs the tests and ends the server at once, instead of leaving its
// folder to the next process: TestMain does os.Exit(testdb.Run(m)).
func Run(m *testing.M) int {
	code := m.Run()
	Stop()
	return code
}

// Stop ends this process's server, if one was started.
func Stop() {
	sourceMu.Lock()
	defer sourceMu.Unlock()
	if source == nil {
		return
	}
	_ = source.admin.Close(context.Background())
	source.close()
	source = nil
}

// LeakOptions are for goleak.VerifyTestMain: the server outlives the tests on
// purpose, and ends after the check.
func LeakOptions() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("closesync/internal/pglocal.(*Server).supervise"),
		goleak.IgnoreAnyFunction("closesync/internal/pglocal.(*Server).stopOnRequest"),
	}
}
