package webhook

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"closesync/mapping"
)

var (
	mutated     = flag.Int("webhook.payloads", 5_000, "mutated payloads sent by TestMutatedPayloads")
	mutatedSeed = flag.Uint64("webhook.seed", 1, "the first of its seeds, one for each CPU")
)

// mutatedMemory bounds the heap in use while payloads come, in bytes. A payload
// may hold 12 kB of brackets; one is in hand for each CPU.
const mutatedMemory = 64 << 20

// TestMutatedPayloads sends spoilt payloads, signed as Close signs, through the
// receiver and through what the worker reads of those that were stored.
// `make payloads` sends ten million.
func TestMutatedPayloads(t *testing.T) {
	objects, problems := mapping.Bind(nil)
	require.Empty(t, problems)
	seeds := payloads(t)
	b := setup(t, func(o *Options) { o.Sink = worker{objects}; o.Observe = nil })
	lanes := runtime.GOMAXPROCS(0)
	var answers [600]atomic.Int64
	var heap atomic.Uint64
	var g sync.WaitGroup
	for lane := range lanes {
		g.Go(func() {
			m := &mutator{rng: rand.New(rand.NewPCG(*mutatedSeed, uint64(lane))), seeds: seeds}
			for i := range *mutated / lanes {
				body := m.payload()
				code := b.signed("byhand", body).Code
				answers[code].Add(1)
				if code != http.StatusOK && code != http.StatusBadRequest {
					t.Errorf("answered %d to %q", code, body)
					return
				}
				if i%10_000 == 0 {
					heap.Store(max(heap.Load(), heapInUse()))
				}
			}
		})
	}
	g.Wait()
	t.Logf("%d payloads: %d stored, %d refused, at most %d MiB in use", *mutated, answers[200].Load(), answers[400].Load(), heap.Load()>>20)
	require.Positive(t, answers[200].Load())
	require.Positive(t, answers[400].Load())
	require.LessOrEqual(t, heap.Load(), uint64(mutatedMemory))
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// payloads are deliveries of all events that samples are kept of.
func payloads(t *testing.T) [][]byte {
	t.Helper()
	body, _, _, _ := sample(t)
	list := [][]byte{body}
	files, err := filepath.Glob("../../mapping/testdata/event/event-*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		event, err := os.ReadFile(name)
		require.NoError(t, err)
		list = append(list, fmt.Appendf(nil, `{"subscription_id":%q,"event":%s}`, sampleSub, event))
	}
	return list
}

// worker is a Sink that reads what is stored as the worker will.
type worker struct{ objects map[string]*mapping.Object }

func (w worker) Accept(_ context.Context, batch []Delivery) error {
	for _, d := range batch {
		ev, err := mapping.DecodeEvent(d.Event)
		if err != nil {
			continue
		}
		o := w.objects[ev.ObjectType]
		if o == nil {
			continue
		}
		remote, err := mapping.DecodeRemote(o, ev.Data, nil)
		if err == nil {
			_ = mapping.EncodeBase(remote.Record)
		}
		_, _ = mapping.DecodePart(o, ev.Previous)
	}
	return nil
}
