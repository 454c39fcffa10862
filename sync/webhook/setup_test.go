package webhook

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	sampleOrg = "orga_WK59PFkl0JfI2yyVlbPegBPrUhRZdsvDQuc8dWrdE03"
	sampleSub = "whsub_e7WBvizuOAr7y11aH6mMAP"
)

// sample is the recorded delivery with its key.
func sample(t testing.TB) (body, key []byte, timestamp, hash string) {
	t.Helper()
	body, err := os.ReadFile("testdata/webhook-delivery.body.json")
	require.NoError(t, err)
	text, err := os.ReadFile("testdata/webhook-delivery.headers.json")
	require.NoError(t, err)
	var h map[string]string
	require.NoError(t, json.Unmarshal(text, &h))
	key, err = hex.DecodeString(h["_signature_key_for_tests"])
	require.NoError(t, err)
	return body, key, h["close-sig-timestamp"], h["close-sig-hash"]
}

// memory is a Sink that keeps copies, as a database would.
type memory struct {
	mu      sync.Mutex
	batches [][]Delivery
	before  func(ctx context.Context, batch []Delivery) error // nil: accept
}

func (m *memory) Accept(ctx context.Context, batch []Delivery) error {
	if m.before != nil {
		if err := m.before(ctx, batch); err != nil {
			return err
		}
	}
	kept := make([]Delivery, len(batch))
	for i, d := range batch {
		d.Raw, d.Event = bytes.Clone(d.Raw), bytes.Clone(d.Event)
		kept[i] = d
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.batches = append(m.batches, kept)
	return nil
}

func (m *memory) all() []Delivery {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Delivery
	for _, b := range m.batches {
		out = append(out, b...)
	}
	return out
}

// keyring is a Keys that counts lookups.
type keyring struct {
	mu      sync.Mutex
	keys    map[string][]SigningKey
	err     error
	lookups int
}

func (k *keyring) Keys(_ context.Context, connection string) ([]SigningKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lookups++
	if k.err != nil {
		return nil, k.err
	}
	keys, ok := k.keys[connection]
	if !ok {
		return nil, ErrUnknownConnection
	}
	return keys, nil
}

// bench is a running receiver with all it stands on.
type bench struct {
	*Receiver
	sink     *memory
	keys     *keyring
	key      []byte
	now      time.Time
	mu       sync.Mutex
	outcomes []Outcome
}

func setup(t testing.TB, change ...func(*Options)) *bench {
	t.Helper()
	_, key, _, _ := sample(t)
	b := &bench{
		sink: &memory{}, key: key, now: time.Unix(1795161610, 0).UTC(),
		keys: &keyring{keys: map[string][]SigningKey{
			"default": {{SubscriptionID: sampleSub, Key: key, OrganizationID: sampleOrg}},
			"second":  {{SubscriptionID: "whsub_second", Key: []byte("another key of 32 bytes, as long"), OrganizationID: "orga_2"}},
			"byhand":  {{Key: key}},
			"none":    nil,
			"empty":   {{SubscriptionID: sampleSub, Key: nil}},
		}},
	}
	o := Options{Sink: b.sink, Keys: b.keys, Now: func() time.Time { return b.now }, Observe: func(o Outcome) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.outcomes = append(b.outcomes, o)
	}}
	for _, c := range change {
		c(&o)
	}
	b.Receiver = New(o)
	b.Start(context.Background())
	t.Cleanup(func() { require.NoError(t, b.Stop(context.Background())) })
	return b
}

// post sends a body to a connection with the given headers.
func (b *bench) post(connection string, body []byte, timestamp, hash string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, Prefix+connection, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("close-sig-timestamp", timestamp)
	r.Header.Set("close-sig-hash", hash)
	return b.do(r)
}

// do sends a request, from a proxy on this machine unless the test says else.
func (b *bench) do(r *http.Request) *httptest.ResponseRecorder {
	if r.RemoteAddr == "192.0.2.1:1234" { // what httptest fills in
		r.RemoteAddr = "127.0.0.1:1234"
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

// signed sends a body signed with the key of the sample, just now.
func (b *bench) signed(connection string, body []byte) *httptest.ResponseRecorder {
	ts, hash := Sign(b.key, body, b.now)
	return b.post(connection, body, ts, hash)
}

// delivery makes a small body.
func delivery(event string) []byte {
	return fmt.Appendf(nil, `{"subscription_id":%q,"event":%s}`, sampleSub, event)
}

func event(id string) string {
	return fmt.Sprintf(`{"id":%q,"object_type":"lead","object_id":"lead_1","lead_id":"lead_1","action":"updated","organization_id":%q,"date_updated":"2026-11-20T08:00:01.240000"}`, id, sampleOrg)
}
