package engine

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// panicked is what is left of a panic: a mistake of ours that one record brings
// to light. It is parked with that record, in sight, and the others go on
// (fault D9).
type panicked struct {
	what  string
	stack []byte
}

func (p *panicked) Error() string { return "panic: " + p.what }

// guarded turns a panic of do into an error.
func guarded(do func() error) func() error {
	return func() (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = &panicked{what: describe(v), stack: debug.Stack()}
			}
		}()
		return do()
	}
}

// describe says what a panic was about. Only the runtime's own words are known
// to hold nothing of a record.
func describe(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a %T", v)
}

// notePanic logs where it happened, which the record does not keep.
func (e *Engine) notePanic(err error, objectType, closeID string) bool {
	p, ok := errors.AsType[*panicked](err)
	if ok {
		e.Logger.Error("a mistake in closesync; the record is parked", "object_type", objectType, "close_id", closeID,
			"panic", p.what, "stack", string(p.stack))
	}
	return ok
}
