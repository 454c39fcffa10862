package remote

import (
	"context"
	"net/http"
	"time"
)

// Now is Close's clock, to the second, by which watermarks are kept: ours may
// be wrong. An answer without a usable Date falls back to the local clock.
func (r *Remote) Now(ctx context.Context) (time.Time, error) {
	r.calls.Add(1)
	answer, err := r.client.Do(ctx, http.MethodGet, "/me/", nil, nil)
	if err != nil {
		return time.Time{}, callError(err)
	}
	if at, ok := dated(answer.Header); ok {
		return at, nil
	}
	r.opt.Logger.WarnContext(ctx, "Close sent no date, the local clock is used instead")
	return r.opt.Now().UTC(), nil
}

// Answered is when Close sent its last answer, in its own time: Now without a
// call. Zero before the first answer.
func (r *Remote) Answered() time.Time { return r.client.LastDate() }

// dated is an answer's Date in UTC; false when it has none or a wrong one.
func dated(h http.Header) (time.Time, bool) {
	at, err := http.ParseTime(h.Get("Date"))
	return at.UTC(), err == nil
}
