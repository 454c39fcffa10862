package remote

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"closesync/mapping"
	"closesync/sync/closeapi"
	"closesync/sync/engine"
)

// Classes of [engine.CallError].
const (
	classUnauthorized = "unauthorized"
	classPlan         = "plan"
	classForbidden    = "forbidden"
	classMissing      = "missing"
	classInvalid      = "invalid"
	classLimited      = "limited"
	classUnknown      = "unknown"
	classTransient    = "transient"
)

// callError says in the engine's words why a call failed. Order matters: an
// unknown outcome wraps its cause, which alone would look harmless. What is
// left over never reached Close (the context ended at the gate, no connection)
// or was a read, so that trying again is safe.
func callError(err error) error {
	if err == nil {
		return nil
	}
	if call, ok := errors.AsType[*engine.CallError](err); ok {
		return call
	}
	call := &engine.CallError{Class: classTransient, Message: err.Error()}
	if _, ok := errors.AsType[*closeapi.UnknownOutcomeError](err); ok {
		call.Class = classUnknown
	} else if limited, ok := errors.AsType[*closeapi.RateLimitError](err); ok {
		call.Class, call.Wait = classLimited, limited.Wait
	} else if answer, ok := errors.AsType[*closeapi.Error](err); ok {
		call.Class = statusClass(answer.Status)
		call.Message, call.Fields = words(answer), answer.FieldErrors
	} else if answer, ok := errors.AsType[*closeapi.ResponseError](err); ok {
		call.Class = responseClass(answer.Reason)
	} else if _, ok := errors.AsType[*mapping.DecodeError](err); ok {
		call.Class = classInvalid
	} else if errors.Is(err, closeapi.ErrBadID) {
		call.Class = classInvalid // asked again, it would be refused again
	} else if errors.Is(err, closeapi.ErrNoLead) {
		call.Class = classInvalid
		call.Fields = map[string]string{"lead_id": "the row belongs to no lead"}
	}
	return call
}

func statusClass(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return classUnauthorized
	case http.StatusPaymentRequired:
		return classPlan
	case http.StatusForbidden:
		return classForbidden
	case http.StatusNotFound, http.StatusGone:
		return classMissing
	case http.StatusTooManyRequests:
		return classLimited
	case http.StatusRequestTimeout:
		return classTransient
	}
	if status >= http.StatusInternalServerError {
		return classTransient
	}
	return classInvalid
}

// responseClass: an answer that repeats itself as unusable is about the record
// and must not be asked for forever; the rest is trouble on the way.
func responseClass(reason string) string {
	switch reason {
	case closeapi.ReasonDuplicate, closeapi.ReasonTooLarge:
		return classInvalid
	}
	return classTransient
}

// words are Close's own, for people who look at a parked record.
func words(e *closeapi.Error) string {
	parts := slices.Clone(e.Errors)
	for _, field := range slices.Sorted(maps.Keys(e.FieldErrors)) {
		parts = append(parts, field+": "+e.FieldErrors[field])
	}
	text := strings.Join(parts, "; ")
	if text == "" || len(text) > 500 {
		return e.Error()
	}
	return text
}
