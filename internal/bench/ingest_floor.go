package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
)

// floorHooks is the least a receiver has to do before it may answer: check the
// signature and commit the body.
func (w *worker) floorHooks(ctx context.Context) (*hooks, error) {
	_, err := w.pool.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS bench_floor;
		CREATE TABLE IF NOT EXISTS bench_floor.inbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)`)
	if err != nil {
		return nil, err
	}
	url, stop, err := serve(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, hookKey)
		mac.Write([]byte(r.Header.Get("Close-Sig-Timestamp")))
		mac.Write(body)
		sum, bad := hex.DecodeString(r.Header.Get("Close-Sig-Hash"))
		if err != nil || bad != nil || !hmac.Equal(mac.Sum(nil), sum) {
			out.WriteHeader(http.StatusUnauthorized)
			return
		}
		if _, err := w.pool.Exec(r.Context(), "INSERT INTO bench_floor.inbox (body) VALUES ($1)", body); err != nil {
			out.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	return &hooks{worker: w, url: url, stop: stop}, err
}
