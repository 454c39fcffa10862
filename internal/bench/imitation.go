package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"closesync/sync/closetest"
)

// imitationEnv makes this program serve the imitation of Close instead. As a
// process of its own it neither counts as the worker's memory nor shares its
// garbage collector.
const imitationEnv = "CLOSESYNC_BENCH_IMITATION"

// padding is what is added to a lead. With its children one has 4.4 kB of
// itself as Close sends it.
const padding = 0

type imitationSpec struct {
	Leads   int           `json:"leads"`
	Latency time.Duration `json:"latency"`
}

// imitation is a running imitation of Close.
type imitation struct {
	URL string `json:"url"` // ends in /api/v1
	Key string `json:"key"`
	cmd *exec.Cmd
	in  io.Closer
}

func serveImitation(spec string) error {
	var o imitationSpec
	if err := json.Unmarshal([]byte(spec), &o); err != nil {
		return err
	}
	s := closetest.New(closetest.Options{Seed: 1, Leads: o.Leads, PadBytes: padding, Latency: o.Latency, Control: true})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(imitation{URL: "http://" + l.Addr().String() + "/api/v1", Key: s.Key()}); err != nil {
		return err
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { // it ends with its parent
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func startImitation(spec imitationSpec) (*imitation, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self) //nolint:gosec // this program
	cmd.Env = append(os.Environ(), imitationEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &imitation{cmd: cmd, in: in}
	if err := json.NewDecoder(out).Decode(c); err != nil {
		c.stop()
		return nil, fmt.Errorf("the imitation of Close did not start: %w", err)
	}
	return c, nil
}

func (c *imitation) stop() {
	_ = c.in.Close()
	_ = c.cmd.Wait()
}

// control makes a call of the control API; out may be nil.
func (c *imitation) control(ctx context.Context, method, what string, body, out any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/api/v1")+"/_control/"+what, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("control %s: status %d: %w", what, resp.StatusCode, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// update changes a record as a person working in Close would.
func (c *imitation) update(ctx context.Context, id string, fields map[string]any) error {
	return c.control(ctx, http.MethodPost, "update", map[string]any{"id": id, "fields": fields}, nil)
}

// forget drops the history of requests.
func (c *imitation) forget(ctx context.Context) error {
	return c.control(ctx, http.MethodDelete, "requests", nil, nil)
}

// requests are those since forget.
func (c *imitation) requests(ctx context.Context) ([]closetest.Request, error) {
	var all struct {
		Data []closetest.Request `json:"data"`
	}
	err := c.control(ctx, http.MethodGet, "requests", nil, &all)
	return all.Data, err
}
