package closeapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Sentinels for errors.Is. Each matches an [*Error] of its status.
// Source: developer.close.com/api/overview/http-response-codes.
var (
	// ErrUnauthorized is 401: the key is wrong or was revoked. No call will
	// work until it is replaced.
	ErrUnauthorized = errors.New("closeapi: unauthorized")
	// ErrPlanLimit is 402: the organization's plan does not allow it.
	ErrPlanLimit = errors.New("closeapi: plan limit")
	// ErrForbidden is 403: the key's user may not do this.
	ErrForbidden = errors.New("closeapi: forbidden")
	// ErrNotFound is 404: gone, or hidden from the key's user. It does not
	// prove a deletion.
	ErrNotFound = errors.New("closeapi: not found")
	// ErrCursorExpired is a 400 that says so: the walk must begin anew.
	ErrCursorExpired = errors.New("closeapi: cursor expired")
	// ErrSkipTooLarge is a 400 about _skip or _limit: the range must be split.
	ErrSkipTooLarge = errors.New("closeapi: skip or limit over the maximum")
	// ErrNoLead is returned, before anything is sent, for a contact,
	// opportunity or task without lead_id: Close would silently make a lead.
	ErrNoLead = errors.New("closeapi: lead_id is missing, Close would make a new lead")
	// ErrBadID is returned, before anything is sent, for an id that no record
	// of Close can have: it could lead to another address.
	ErrBadID = errors.New("the id is empty or has characters no id has")
	// ErrNoCall is returned, before anything is sent, for a method or a path
	// that the API cannot have.
	ErrNoCall = errors.New("closeapi: no call of the API")
)

// Error is an answer of Close that says no.
type Error struct {
	Method, Path string
	Status       int
	Errors       []string          // general messages
	FieldErrors  map[string]string // path such as "contacts.0.custom.cf_x" -> message
	Body         string            // the first 2 kB as they came
}

// Error shows status and messages; never more than 500 bytes of them.
func (e *Error) Error() string {
	parts := append([]string(nil), e.Errors...)
	for _, name := range sortedKeys(e.FieldErrors) {
		parts = append(parts, name+": "+e.FieldErrors[name])
	}
	text := strings.Join(parts, "; ")
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "") + "..."
	}
	head := fmt.Sprintf("closeapi: %s %s: %d %s", e.Method, e.Path, e.Status, http.StatusText(e.Status))
	if text == "" {
		return head
	}
	return head + ": " + text
}

// Is matches the sentinels of this package.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrUnauthorized:
		return e.Status == http.StatusUnauthorized
	case ErrPlanLimit:
		return e.Status == http.StatusPaymentRequired
	case ErrForbidden:
		return e.Status == http.StatusForbidden
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrCursorExpired:
		return e.Status == http.StatusBadRequest && e.says("cursor")
	case ErrSkipTooLarge:
		return e.Status == http.StatusBadRequest &&
			(e.says("max_skip") || e.says("max_limit") || e.says("less than or equal to"))
	}
	return false
}

// says looks for a word in the whole answer, because the texts clients match
// on sit in different places of it.
func (e *Error) says(word string) bool {
	return strings.Contains(strings.ToLower(e.Body), word)
}

// RateLimitError says that the call was given up because its endpoint group
// stays closed for longer than the context allows, or was refused too often.
// Nothing was changed at Close by the refused call.
type RateLimitError struct {
	Wait  time.Duration // until the group opens
	Group string
}

func (e *RateLimitError) Error() string {
	return fmt.Sprintf("closeapi: rate limited on %q, opens in %s", e.Group, e.Wait.Round(time.Millisecond))
}

// UnknownOutcomeError says that a write may or may not have happened. Look
// (event log, GET) before sending it again. It unwraps to the cause.
type UnknownOutcomeError struct {
	Method, Path string
	Err          error
}

func (e *UnknownOutcomeError) Error() string {
	return fmt.Sprintf("closeapi: %s %s: outcome unknown: %v", e.Method, e.Path, e.Err)
}

func (e *UnknownOutcomeError) Unwrap() error { return e.Err }

// TransportError is a failure below HTTP: no connection, a lost one, a
// deadline. Sent is false when no connection came about, so that Close
// cannot have seen the request.
type TransportError struct {
	Method, Path string
	Sent         bool
	Err          error
}

func (e *TransportError) Error() string {
	return fmt.Sprintf("closeapi: %s %s: %v", e.Method, e.Path, e.Err)
}

func (e *TransportError) Unwrap() error { return e.Err }

// Reasons of a [ResponseError].
const (
	ReasonTruncated = "truncated"     // the body ends too early
	ReasonNotJSON   = "not JSON"      // another content type, as of a proxy's page
	ReasonMalformed = "malformed"     // JSON syntax, or not the shape asked for
	ReasonTooLarge  = "too large"     // more than [MaxBodyBytes]
	ReasonDuplicate = "duplicate key" // one object names a key twice
	ReasonRedirect  = "redirect"      // never followed
)

// ResponseError is a successful status with a body that cannot be used, or a
// redirect. Reads have been repeated before it is returned, except where
// repeating cannot help (too large, duplicate key, redirect).
type ResponseError struct {
	Method, Path string
	Status       int
	Reason       string
	Detail       string // e.g. the content type, or the host redirected to
	Err          error
}

func (e *ResponseError) Error() string {
	s := fmt.Sprintf("closeapi: %s %s: status %d: %s", e.Method, e.Path, e.Status, e.Reason)
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	return s
}

func (e *ResponseError) Unwrap() error { return e.Err }

func (e *ResponseError) transient() bool {
	switch e.Reason {
	case ReasonTruncated, ReasonNotJSON, ReasonMalformed:
		return true
	}
	return false
}
