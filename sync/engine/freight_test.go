package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// heavy is Close with large records; it counts the bytes that a walk holds.
type heavy struct {
	*history
	record    int
	now, most int
}

func (h *heavy) Search(ctx context.Context, objectType, field string, w Window, nested bool, skip map[string]bool) (Page, error) {
	p, err := h.history.Search(ctx, objectType, field, w, nested, skip)
	p.Bytes = len(p.Records) * h.record
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now += p.Bytes
	h.most = max(h.most, h.now)
	return p, err
}

func (h *heavy) taken(bytes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now -= bytes
}

// However large records are, a walk holds no more of them than it may, also where
// it goes on in several windows without having seen a record, and reads all.
func TestFault_D8_PagesInFlightAreBoundByBytes(t *testing.T) {
	for _, record := range []int{4 << 10, 16 << 10, 64 << 10, 80 << 10} {
		synctest.Test(t, func(t *testing.T) {
			const records = 2000
			h := &heavy{history: newHistory(evenly(records, year)), record: record}
			l := &loaded{times: map[string]int{}, fails: -1}
			w := l.walking(h)
			half := today.Add(-year / 2)
			w.segments = []*segment{newSegment(time.Time{}, half), newSegment(half, time.Time{})}
			w.apply = func(ctx context.Context, p Page, cp *Checkpoint) error {
				time.Sleep(5 * answerTakes) // so that pages pile up
				err := l.apply(ctx, p, cp)
				h.taken(p.Bytes)
				return err
			}
			require.NoError(t, w.run(t.Context(), time.Time{}, today))
			require.Len(t, l.times, records)
			require.LessOrEqual(t, h.most, maxFreight)
			require.Zero(t, w.freight.held)
			require.Zero(t, w.freight.asked)
		})
	}
}
