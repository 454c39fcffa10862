package webhook

import (
	"net/http"
	"time"
)

// Outcome is what became of a request, for metrics and logs. It holds nothing
// that a sender chose, except Connection, which is empty unless it exists.
type Outcome struct {
	Connection string
	Status     int
	// Reason is empty for 200, else one word for a metric's label. It is never
	// told to the sender.
	Reason string
	// Age of the signature; negative when Close's clock is ahead. Zero without
	// a good signature. A median far from zero means that a clock is wrong.
	Age                 time.Duration
	Bytes               int
	Stale, Foreign, Odd bool
	Took                time.Duration
}

// write answers with the status and one of two bodies, whatever the reason.
func (o Outcome) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	text := "refused\n"
	switch o.Status {
	case http.StatusOK:
		text = "ok\n"
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	case http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		h.Set("Connection", "close") // do not read the rest
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	}
	w.WriteHeader(o.Status)
	_, _ = w.Write([]byte(text))
}
