package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"time"
)

// wire carries a worker's requests to the imitation without a socket. The
// request and the answer are yield points, and time passes between them.
type wire struct {
	w *World
}

// RoundTrip satisfies http.RoundTripper.
func (c wire) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	w, t := c.w, taskOf(ctx)
	if t == nil {
		return nil, fmt.Errorf("sim: a request outside of any task: %s", req.URL.Path)
	}
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close()
	}
	call := req.Method + " " + kindOfPath(req.URL.Path)
	if err := w.yield(t, "send "+call); err != nil {
		return nil, err
	}
	if t.inTx.Load() > 0 {
		w.violate("I-16", "%s %s while a transaction is open", req.Method, req.URL.Path)
	}
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	w.lane.advance(w.sc.Config.Latency / 2)
	resp, err := w.serve(req, body)
	w.lane.advance(w.sc.Config.Latency / 2)
	w.note(t, req, body, resp, err)
	if yerr := w.yield(t, "answer "+call); yerr != nil {
		return nil, yerr
	}
	if err != nil {
		return nil, err
	}
	return resp.asHTTP(req), nil
}

// answer is what the imitation sent before it, or the line, gave up.
type answer struct {
	status int
	header http.Header
	body   []byte
	cut    bool
}

func (a *answer) asHTTP(req *http.Request) *http.Response {
	var body io.Reader = bytes.NewReader(a.body)
	if a.cut {
		body = io.MultiReader(body, broken{})
	}
	return &http.Response{StatusCode: a.status, Status: http.StatusText(a.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(body), ContentLength: -1, Request: req}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// serve lets the imitation answer. A handler that aborts cuts the line.
func (w *World) serve(req *http.Request, body []byte) (a *answer, err error) {
	in := req.Clone(req.Context())
	in.Body = io.NopCloser(bytes.NewReader(body))
	out := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			a, err = nil, io.ErrUnexpectedEOF
			if out.Body.Len() > 0 {
				a, err = &answer{out.Code, out.Header(), out.Body.Bytes(), true}, nil
			}
		}
	}()
	w.Close.ServeHTTP(out, in)
	return &answer{out.Code, out.Header(), out.Body.Bytes(), false}, nil
}

// sleep passes time for a client that waits.
func (w *World) sleep(ctx context.Context, d time.Duration) error {
	if t := taskOf(ctx); t != nil {
		if err := w.yield(t, "sleep"); err != nil {
			return err
		}
	}
	w.lane.advance(d)
	return ctx.Err()
}
