package closetest

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// Single deliveries, for a test that decides the order itself. i counts the
// deliveries that are due, in the order of the queue.

func (s *Server) dueWebhooks() []*delivery {
	now := s.nowMicros()
	var due []*delivery
	for _, d := range s.hooks.queue {
		if d.due <= now {
			due = append(due, d)
		}
	}
	return due
}

// DueWebhooks is how many deliveries are due.
func (s *Server) DueWebhooks() int {
	s.lock()
	defer s.mu.Unlock()
	return len(s.dueWebhooks())
}

// SendWebhook makes one attempt at one delivery; false if there is none. With
// keep it stays in the queue whatever the answer is, and comes again.
func (s *Server) SendWebhook(ctx context.Context, client *http.Client, i int, keep bool) bool {
	d := s.takeWebhook(i, keep)
	if d != nil {
		s.attempt(ctx, client, d)
	}
	return d != nil
}

func (s *Server) takeWebhook(i int, keep bool) *delivery {
	s.lock()
	defer s.mu.Unlock()
	due := s.dueWebhooks()
	if i < 0 || i >= len(due) {
		return nil
	}
	d := due[i]
	s.prepare(d, s.nowMicros())
	if keep {
		return d.double()
	}
	s.hooks.queue = slices.DeleteFunc(s.hooks.queue, func(other *delivery) bool { return other == d })
	return d
}

// DropWebhook loses one delivery.
func (s *Server) DropWebhook(i int) {
	s.lock()
	defer s.mu.Unlock()
	if due := s.dueWebhooks(); i >= 0 && i < len(due) {
		s.hooks.queue = slices.DeleteFunc(s.hooks.queue, func(other *delivery) bool { return other == due[i] })
	}
}

// DelayWebhook puts one delivery off.
func (s *Server) DelayWebhook(i int, by time.Duration) {
	s.lock()
	defer s.mu.Unlock()
	if due := s.dueWebhooks(); i >= 0 && i < len(due) {
		due[i].due = s.nowMicros() + by.Microseconds()
	}
}
