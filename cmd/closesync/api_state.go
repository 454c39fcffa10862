package main

import (
	"net/http"
	"sync"

	"closesync/sync/closeapi"
	"closesync/sync/store"
)

// silent is after how many attempts without any answer Close counts as down:
// one lost connection means nothing.
const silent = 3

// apiState knows from the calls themselves whether Close takes the key. Its
// zero value is good. It is safe for concurrent use.
type apiState struct {
	mu      sync.Mutex
	refused bool // the last answer about the key was no
	lost    int  // attempts in a row without an answer
}

// observe takes one attempt; it fits closeapi.Options.Observe.
func (s *apiState) observe(c closeapi.Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.Status == 0:
		s.lost++
		return
	case c.Status == http.StatusUnauthorized:
		s.refused = true
	case c.Status < http.StatusInternalServerError && c.Status != http.StatusTooManyRequests:
		s.refused = false
	}
	s.lost = 0
}

// state is the part "api" of the status.
func (s *apiState) state() store.APIState {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.refused:
		return store.APIState{Error: text("Close refuses the API key: make a new one under Settings, Developer, API Keys")}
	case s.lost >= silent:
		return store.APIState{Error: text("Close does not answer")}
	}
	return store.APIState{OK: true}
}
