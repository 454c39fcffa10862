package webhook

import (
	"context"
	"encoding/json"
	"testing"
)

// FuzzReceiver sends any signed body, and the same body unsigned. A signed one
// gets 200 only if the standard library agrees that it is an object.
func FuzzReceiver(f *testing.F) {
	body, _, _, _ := sample(f)
	f.Add(body, "1795161602", "e7b1aa9d1b8edd5664bfb339007d4e875390604fac874f32f134b5e5067ddfb6")
	f.Add([]byte("{}"), "1", "x")
	f.Add(delivery(event("ev_1")), "", "")
	f.Add([]byte(`{"event":{"id":1,"id":2}}`), "0000000000", "")
	b := setup(f, func(o *Options) { o.Sink = nothing{}; o.Observe = nil })
	f.Fuzz(func(t *testing.T, body []byte, timestamp, hash string) {
		if code := b.signed("byhand", body).Code; code == 200 {
			var object map[string]json.RawMessage
			if json.Unmarshal(body, &object) != nil || object == nil {
				t.Fatalf("accepted %q", body)
			}
		} else if code != 400 {
			t.Fatalf("%d for %q", code, body)
		}
		if code := b.post("byhand", body, timestamp, hash).Code; code >= 500 {
			t.Fatalf("%d for headers %q %q", code, timestamp, hash)
		}
	})
}

// BenchmarkReceiver is the handler with a sink that does nothing; one request
// at a time for each CPU.
func BenchmarkReceiver(b *testing.B) {
	body, _, ts, hash := sample(b)
	r := setup(b, func(o *Options) { o.Sink = nothing{}; o.Observe = nil })
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if code := r.post("default", body, ts, hash).Code; code != 200 {
				b.Errorf("answered %d", code)
			}
		}
	})
}

// nothing is a Sink that commits at once.
type nothing struct{}

func (nothing) Accept(context.Context, []Delivery) error { return nil }
