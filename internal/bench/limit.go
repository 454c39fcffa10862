package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// callLimit is what Close allows each second in this measurement.
const callLimit = 20

// measureLimit pushes changed rows under a limit: it is to be used up, and a
// window that Close closed is to be left alone.
func measureLimit(ctx context.Context, b *bench) error {
	w, err := b.newWorker(ctx, imitationSpec{Leads: b.limited})
	if err != nil {
		return err
	}
	defer w.end()
	if err := w.load(ctx); err != nil {
		return err
	}
	leads, err := w.ids(ctx, "leads", b.limited)
	if err != nil {
		return err
	}
	if err := w.startJobs(ctx); err != nil {
		return err
	}
	if err := w.close.control(ctx, http.MethodPost, "limits", map[string]any{"key": callLimit}, nil); err != nil {
		return err
	}
	if err := w.close.forget(ctx); err != nil {
		return err
	}
	resetPeak()
	before := peakMemory()
	if _, err := w.pool.Exec(ctx, "UPDATE crm.leads SET description = 'Limited' WHERE close_id = ANY ($1)", leads); err != nil {
		return err
	}
	if err := w.settle(ctx, limitPatience(len(leads))); err != nil {
		return err
	}
	return w.reportLimit(ctx, len(leads), before, peakMemory())
}

// limitPatience is twice what n changes take under the limit, and a minute.
func limitPatience(n int) time.Duration {
	return time.Minute + 2*time.Duration(n)*time.Second/callLimit
}

func (w *worker) reportLimit(ctx context.Context, changes int, before, peak float64) error {
	requests, err := w.close.requests(ctx)
	if err != nil {
		return err
	}
	var violations struct {
		Data []string `json:"data"`
	}
	if err := w.close.control(ctx, http.MethodGet, "violations", nil, &violations); err != nil {
		return err
	}
	closed := int64(0)
	for _, v := range violations.Data {
		if strings.Contains(v, "window") {
			closed++
		}
	}
	puts, first, last := putsOf(requests)
	rate := perSecond(puts-1, last.Sub(first))
	t := &w.b.table
	t.slower(fmt.Sprintf("%d changes under %d requests/s: pushes", changes, callLimit), "PUT/s", rate, callLimit, 0.95*callLimit)
	t.exact("  requests in a closed window", closed, 0)
	t.exact("  changes without a PUT of their own", int64(changes-puts), 0)
	if peak > 0 {
		t.atMost("  peak RSS, MB, against that before", peak, before, before+16)
	}
	return nil
}
