package closetest

import (
	"net/http"
	"strings"
)

// Roles a key may act under. An admin sees all; a user sees all leads but old
// events without their data; a restricted user lacks view_all_leads.
const (
	RoleAdmin      = "admin"
	RoleUser       = "user"
	RoleRestricted = "restricteduser"
)

type apiKey struct {
	id, whole string
	role      string
	userID    string
	revoked   bool
}

// Actor says who makes a change. The zero Actor is a person of the
// organization working in the app, so events carry a user and no key.
type Actor struct {
	UserID   string `json:"user_id"`
	APIKeyID string `json:"api_key_id"`
}

// call is one change or request in progress.
type call struct {
	actor     Actor
	key       *apiKey // nil for a person in the app
	requestID string
	method    string
	path      string
	tzOffset  float64 // hours, from x-tz-offset
	meta      map[string]any
}

// Key is an admin's API key, whole: the text before the dot is its id.
func (s *Server) Key() string { return s.admin.whole }

// AddKey makes a key of a further user with the given role.
func (s *Server) AddKey(role string) string {
	s.lock()
	defer s.mu.Unlock()
	u := s.addUser("Key", title(role), true)
	return s.addKey(role, u.id).whole
}

func (s *Server) addKey(role, userID string) *apiKey {
	id := s.shortID("api")
	k := &apiKey{id: id, whole: id + "." + strings.TrimPrefix(s.shortID("x"), "x_"), role: role, userID: userID}
	s.keys[k.whole] = k
	return k
}

// RevokeKey makes the key with this id (the part before the dot) answer 401,
// or work again.
func (s *Server) RevokeKey(id string, revoked bool) {
	s.lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		if k.id == id {
			k.revoked = revoked
		}
	}
}

func (s *Server) authenticate(r *http.Request) *apiKey {
	user, _, ok := r.BasicAuth()
	k := s.keys[user]
	if !ok || k == nil || k.revoked {
		return nil
	}
	return k
}

// visible tells whether a key may see a lead and what hangs on it.
func (s *Server) visible(k *apiKey, lead *record) bool {
	if k == nil || lead == nil {
		return true
	}
	if lead.hidden {
		return false
	}
	if k.role != RoleRestricted || lead.live == nil {
		return true
	}
	return unquoted(member(s.text(lead.live), "created_by")) == k.userID
}

// unquoted is the text of a raw string without escapes, "" for anything else.
func unquoted(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	return string(raw[1 : len(raw)-1])
}
