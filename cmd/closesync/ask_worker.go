package main

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"closesync/sync/store"
)

const (
	// workerTimeout is for a worker on this machine, which may not be there.
	workerTimeout = 500 * time.Millisecond
	maxStatus     = 1 << 20
)

// askWorker gets the status of the worker that listens where the settings say:
// only it knows the lags, and how much of Close's limits it has used. Without
// a worker, or with one that refuses, the document is empty.
func (s *session) askWorker(ctx context.Context) statusDocument {
	ctx, cancel := context.WithTimeout(ctx, workerTimeout)
	defer cancel()
	var d statusDocument
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, localURL(s.cfg.Listen)+"/api/status", nil)
	if err != nil {
		return d
	}
	if !s.cfg.AdminToken.IsZero() {
		req.Header.Set("Authorization", "Bearer "+s.cfg.AdminToken.Reveal())
	}
	// No proxy of the environment, and no redirect that would carry the token.
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return d
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxStatus))
	if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(body, &d) != nil {
		return statusDocument{}
	}
	return d
}

// named finds the same connection: of that name and bound to the same
// organization, as another worker may listen there.
func (d statusDocument) named(c store.ConnectionStatus) (store.ConnectionStatus, bool) {
	for _, w := range d.Connections {
		if w.Name == c.Name && w.OrganizationID != nil && c.OrganizationID != nil && *w.OrganizationID == *c.OrganizationID {
			return w, true
		}
	}
	return store.ConnectionStatus{}, false
}
