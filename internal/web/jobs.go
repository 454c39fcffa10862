package web

import (
	"bytes"
	"net/http"
	"strings"
)

// jobs is River UI behind our door, with a policy and a script of its own.
func jobs(h http.Handler) http.Handler {
	if h == nil {
		return http.NotFoundHandler()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", jobsPolicy)
		h.ServeHTTP(&scripted{ResponseWriter: w}, r)
	})
}

// jobsScript is put first into each page of River UI.
const jobsScript = `<script src="/assets/jobs.js"></script>`

// scripted adds jobsScript to an answer that is a page.
type scripted struct {
	http.ResponseWriter
	begun, page bool
}

func (s *scripted) WriteHeader(status int) {
	s.begun = true
	if s.page = strings.HasPrefix(s.Header().Get("Content-Type"), "text/html"); s.page {
		s.Header().Del("Content-Length")
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *scripted) Write(b []byte) (int, error) {
	if !s.begun {
		s.WriteHeader(http.StatusOK)
	}
	before, after, found := bytes.Cut(b, []byte("<head>"))
	if !s.page || !found {
		return s.ResponseWriter.Write(b)
	}
	s.page = false
	if _, err := s.ResponseWriter.Write(append(bytes.Clone(before), "<head>"+jobsScript...)); err != nil {
		return 0, err
	}
	_, err := s.ResponseWriter.Write(after)
	return len(b), err
}

// Unwrap is for http.ResponseController.
func (s *scripted) Unwrap() http.ResponseWriter { return s.ResponseWriter }
