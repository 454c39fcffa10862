package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"closesync/mapping"
)

// worker is the process of that name that lives; a new one if none does.
func (w *World) worker(name string) *proc {
	p := w.procs[name]
	if p == nil || p.dead {
		p = &proc{w: w, name: name}
		w.procs[name] = p
	}
	return p
}

// pollsOf is at how many streams or catalogues of Close an operation looks.
var pollsOf = map[string]int{"tail": 1, "search": 3, "audit": 8, "load": 12, "check": 8, "reference": 8}

// operate begins an operation of a worker.
func (w *World) operate(name, verb string, stop int, f func(ctx context.Context, p *proc) error) *task {
	p := w.worker(name)
	if p.booting || len(w.tasks) >= mostTasks {
		return nil
	}
	w.polls += pollsOf[verb]
	return w.begin(name+" "+verb, p, stop, func(ctx context.Context) error {
		if err := p.boot(ctx); err != nil {
			return err
		}
		return f(ctx, p)
	})
}

// workerStep carries out a step of a worker.
func (w *World) workerStep(st Step) {
	switch st.Do {
	case "crash":
		if p := w.procs[st.Who]; p != nil && !p.dead {
			w.crashes["between two steps"]++
			w.kill(p, nil)
		}
		return
	case "go":
		for _, t := range w.tasks {
			if t.proc != nil && t.proc.name == st.Who && !t.blocked.Load() {
				w.proceed(t, st.Stop)
				w.ended(t)
				return
			}
		}
		return
	}
	if t := w.operate(st.Who, st.Do, st.Stop, w.operation(st)); t != nil {
		w.ended(t)
	}
}

// operation is what a worker does: the bodies of its jobs.
func (w *World) operation(st Step) func(ctx context.Context, p *proc) error {
	return func(ctx context.Context, p *proc) error {
		switch st.Do {
		case "cycle":
			_, err := p.engine.Run(ctx)
			return err
		case "tail":
			_, gap, err := p.engine.Tail(ctx)
			if err == nil && gap {
				err = p.catchUp(ctx)
			}
			return err
		case "search":
			return p.search(ctx)
		case "audit":
			return p.engine.Audit(ctx, nil, nil)
		case "reference":
			return p.engine.Reference(ctx)
		case "load":
			return p.engine.Backfill(ctx, nil)
		case "check":
			return p.check(ctx)
		}
		return fmt.Errorf("sim: a worker does not know how to %q", st.Do)
	}
}

func (p *proc) search(ctx context.Context) error {
	for _, t := range mapping.Types() {
		if err := p.engine.SearchChanged(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// check looks after tables, triggers and the subscription.
func (p *proc) check(ctx context.Context) error {
	if err := p.store.Refresh(ctx); err != nil {
		return err
	}
	if _, err := p.store.EnsureTriggers(ctx); err != nil {
		return err
	}
	if err := p.catchUp(ctx); err != nil {
		return err
	}
	if !p.w.sc.Config.Hooks {
		return nil
	}
	known, err := p.store.LoadWebhook(ctx)
	if err != nil {
		return err
	}
	_, gap, err := p.subscriber().Ensure(ctx, fromStore(known))
	if err != nil || !gap {
		return err
	}
	if _, _, err = p.engine.Tail(ctx); err != nil {
		return err
	}
	return p.catchUp(ctx)
}

// catchUp makes the full compares that are owed or overdue.
func (p *proc) catchUp(ctx context.Context) error {
	types, err := p.engine.Overdue(ctx, func(last time.Time) time.Time { return last.Add(24 * time.Hour) })
	if err != nil || len(types) == 0 {
		return err
	}
	return p.engine.Audit(ctx, types, nil)
}

// ended looks at how an operation ended.
func (w *World) ended(t *task) {
	if t.done && t.err != nil && !errors.Is(t.err, errCrashed) {
		w.problems = append(w.problems, t.err.Error())
		w.say("%s ended: %v", t.name, t.err)
	}
}

// hookStep carries out what happens to a webhook under way.
func (w *World) hookStep(st Step) {
	due := w.Close.DueWebhooks()
	if due == 0 {
		return
	}
	i := st.N % due
	switch st.Do {
	case "deliver", "repeat":
		w.deliver("w1", i, st.Do == "repeat", st.Stop)
	case "drop":
		w.Close.DropWebhook(i)
	case "delay":
		w.Close.DelayWebhook(i, st.For)
	case "flush":
		for n := 0; n < due && w.Close.DueWebhooks() > 0; n++ {
			w.deliver("w1", 0, false, 0)
		}
	}
}

// deliver makes one attempt at a webhook.
func (w *World) deliver(name string, i int, keep bool, stop int) {
	p := w.worker(name)
	if p.inbound != nil && !p.inbound.done {
		return // one at a time
	}
	w.operate(name, "receives", stop, func(ctx context.Context, p *proc) error {
		p.inbound = taskOf(ctx)
		if p.receiver == nil {
			p.listen(w.lane.ctx)
		}
		w.Close.SendWebhook(context.WithValue(ctx, procKey{}, p), w.hooks, i, keep)
		return nil
	})
}

type procKey struct{}

// hookWire carries a delivery to the receiver of the worker that is named in
// the context.
type hookWire struct{ w *World }

// RoundTrip satisfies http.RoundTripper.
func (h hookWire) RoundTrip(req *http.Request) (*http.Response, error) {
	p, _ := req.Context().Value(procKey{}).(*proc)
	t := taskOf(req.Context())
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	in := httptest.NewRequestWithContext(req.Context(), req.Method, req.URL.Path, strings.NewReader(string(body)))
	in.Header = req.Header
	out := httptest.NewRecorder()
	p.receiver.ServeHTTP(out, in)
	if err := h.w.yield(t, "answer webhook"); err != nil {
		return nil, err
	}
	fmt.Fprintf(h.w.hash, "webhook %s -> %d\n", body, out.Code)
	h.w.say("    webhook %.700s -> %d", body, out.Code)
	if out.Code >= 200 && out.Code < 300 {
		h.w.acked = append(h.w.acked, string(body))
	}
	return out.Result(), nil
}
