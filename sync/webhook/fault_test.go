package webhook

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFault_B1_SameDeliveryManyTimes(t *testing.T) {
	b := setup(t)
	body, _, ts, hash := sample(t)
	for range 1000 {
		require.Equal(t, 200, b.post("default", body, ts, hash).Code)
	}
	ids := map[string]int{}
	for _, d := range b.sink.all() {
		ids[d.EventID+d.DateUpdated.String()]++
	}
	require.Len(t, ids, 1, "the key by which the sink dedupes is the same each time")
}

func TestFault_B6_SinkDownOrHanging(t *testing.T) {
	t.Run("error", func(t *testing.T) {
		b := setup(t)
		b.sink.before = func(context.Context, []Delivery) error { return errors.New("connection refused") }
		w := b.signed("default", delivery(event("ev_1")))
		require.Equal(t, 503, w.Code)
		require.Equal(t, "refused\n", w.Body.String())
		require.Empty(t, b.sink.all())
	})
	t.Run("hangs, deaf to its context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			hold := make(chan struct{})
			b := setup(t)
			b.sink.before = func(context.Context, []Delivery) error { <-hold; return errors.New("late") }
			start := time.Now()
			codes := make(chan int, 3000)
			for range 3000 { // more than the queue holds
				go func() { codes <- b.signed("default", delivery(event("ev_1"))).Code }()
			}
			for range 3000 {
				require.Equal(t, 503, <-codes)
			}
			require.Less(t, time.Since(start), 5*time.Second)
			close(hold)
			require.NoError(t, b.Stop(t.Context()))
		})
	})
}

// 200 must come after the commit, whatever happens between.
func TestFault_B8_AnswerOnlyAfterCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		commit := make(chan struct{})
		b.sink.before = func(context.Context, []Delivery) error { <-commit; return nil }
		answered := make(chan int, 1)
		go func() { answered <- b.signed("default", delivery(event("ev_1"))).Code }()
		synctest.Wait()
		select {
		case <-answered:
			t.Fatal("answered before the commit")
		default:
		}
		require.Empty(t, b.sink.all())
		close(commit)
		require.Equal(t, 200, <-answered)
		require.Len(t, b.sink.all(), 1)
		require.NoError(t, b.Stop(t.Context()))
	})
}

func TestFault_B9_Forged(t *testing.T) {
	body, key, ts, hash := sample(t)
	hexAsKey, asText := Sign([]byte(hex.EncodeToString(key)), body, time.Unix(1795161602, 0))
	_, withEmpty := Sign(nil, body, time.Unix(1795161602, 0))
	require.Equal(t, ts, hexAsKey)
	flipped := []byte(hash)
	flipped[63] ^= 1
	for name, h := range map[string][]string{
		"no headers":       {"", ""},
		"no hash":          {ts, ""},
		"no timestamp":     {"", hash},
		"upper-case hex":   {ts, strings.ToUpper(hash)},
		"odd hex":          {ts, hash[:63]},
		"short":            {ts, hash[:62]},
		"long":             {ts, hash + "00"},
		"not hex":          {ts, hash[:63] + "g"},
		"all zero":         {ts, strings.Repeat("0", 64)},
		"last digit":       {ts, string(flipped)},
		"hex text as key":  {ts, asText},
		"empty key":        {ts, withEmpty},
		"another time":     {"1795161603", hash},
		"nine digits":      {"179516160", hash},
		"eleven digits":    {ts + "0", hash},
		"sign":             {"+795161602", hash},
		"blank":            {" 795161602", hash},
		"fraction":         {"1795161.02", hash},
		"arabic digits":    {"١٧٩٥١", hash},
		"newline":          {ts + "\n", hash},
		"hash with prefix": {ts, "sha256=" + hash},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			w := b.post("default", body, h[0], h[1])
			require.Equal(t, 401, w.Code)
			require.Equal(t, "refused\n", w.Body.String())
			require.Empty(t, b.sink.all())
		})
	}
	t.Run("two hashes", func(t *testing.T) {
		b := setup(t)
		r := httptest.NewRequest("POST", Prefix+"default", bytes.NewReader(body))
		r.Header["Close-Sig-Timestamp"] = []string{ts}
		r.Header["Close-Sig-Hash"] = []string{strings.Repeat("0", 64), hash}
		require.Equal(t, 401, b.do(r).Code)
	})
	t.Run("body is not parsed", func(t *testing.T) {
		b := setup(t)
		require.Equal(t, 401, b.post("default", []byte("no JSON at all"), ts, hash).Code)
	})
}

func TestFault_B10_KeyOfAnotherSubscription(t *testing.T) {
	b := setup(t)
	body, key, ts, hash := sample(t)
	require.Equal(t, 401, b.post("second", body, ts, hash).Code, "the path chooses the key")

	other := bytes.Replace(body, []byte(sampleSub), []byte("whsub_other"), 1)
	require.Equal(t, 401, b.signed("default", other).Code, "the body must name the key's subscription")
	require.Equal(t, 401, b.signed("default", []byte(`{}`)).Code, "or it names none")

	second := []byte(`{"subscription_id":"whsub_second","event":` + event("ev_1") + `}`)
	ts2, hash2 := Sign(key, second, b.now)
	require.Equal(t, 401, b.post("second", second, ts2, hash2).Code)
	require.Empty(t, b.sink.all())
}

// Names count by exact case: what another spelling says decides nothing. One
// that decides, twice, makes the delivery ambiguous.
func TestFault_A18_NamesInAnotherCaseOrTwice(t *testing.T) {
	b := setup(t)
	body := `{"SUBSCRIPTION_ID":"whsub_other","subscription_id":"` + sampleSub + `","Event":{"id":"ev_wrong"},"event":{` +
		`"ID":"ev_wrong","id":"ev_1","Id":"ev_wrong","object_type":"lead","Object_Type":"contact","action":"updated","ACTION":"deleted",` +
		`"object_id":"lead_1","OBJECT_ID":"lead_2","organization_id":"` + sampleOrg + `","Organization_Id":"orga_other"},"EVENT":{"id":"ev_wrong"}}`
	require.Equal(t, 200, b.signed("default", []byte(body)).Code)
	d := b.sink.all()[0]
	require.Equal(t, []string{"ev_1", "lead", "updated", "lead_1", sampleOrg}, []string{d.EventID, d.ObjectType, d.Action, d.ObjectID, d.OrganizationID})

	for _, again := range []string{`"id":"ev_2"`, `"object_id":"lead_2"`, `"action":"deleted"`} {
		twice := strings.Replace(string(delivery(event("ev_1"))), `"id"`, again+`,"id"`, 1)
		require.Equal(t, 400, b.signed("default", []byte(twice)).Code, again)
	}
	require.Len(t, b.sink.all(), 1)
}

// All ways to move the border between timestamp and body keep the hash; none
// may be accepted, for bodies that begin with digits too.
func TestFault_B11_BoundaryShift(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 11))
	b := setup(t)
	accepted, tried := 0, 0
	for i := range 1000 {
		body := delivery(event(fmt.Sprintf("ev_%d_%d", i, rng.Int64())))
		if i%3 == 0 { // what an attacker would want: digits at the border
			body = append([]byte(strconv.Itoa(rng.IntN(1e9))), body...)
		}
		ts, hash := Sign(b.key, body, b.now)
		message := append([]byte(ts), body...)
		for cut := 0; cut <= 40; cut++ {
			if cut == 10 {
				continue
			}
			tried++
			if b.post("default", message[cut:], string(message[:cut]), hash).Code == 200 {
				accepted++
			}
		}
	}
	require.Zero(t, accepted, "of %d", tried)
	require.Empty(t, b.sink.all())
}

func TestFault_B12_ReplayIsStaleNotLost(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		stale bool
	}{{0, false}, {15 * time.Minute, false}, {15*time.Minute + time.Second, true}, {time.Hour, true}, {70 * time.Hour, true}} {
		b := setup(t)
		body := delivery(event("ev_1"))
		ts, hash := Sign(b.key, body, b.now)
		b.now = b.now.Add(c.after)
		require.Equal(t, 200, b.post("default", body, ts, hash).Code, "%v", c.after)
		require.Equal(t, c.stale, b.sink.all()[0].Stale, "%v", c.after)
	}
}

func TestFault_B13_ClockSkew(t *testing.T) {
	for _, c := range []struct {
		ahead time.Duration
		stale bool
	}{{30 * time.Second, false}, {2 * time.Minute, true}, {5 * time.Hour, true}, {-5 * time.Hour, true}} {
		b := setup(t)
		body := delivery(event("ev_1"))
		ts, hash := Sign(b.key, body, b.now.Add(c.ahead))
		require.Equal(t, 200, b.post("default", body, ts, hash).Code)
		require.Equal(t, c.stale, b.sink.all()[0].Stale, "%v", c.ahead)
		require.Equal(t, -c.ahead, b.outcomes[0].Age, "the observer can alarm")
	}
}

// zeros is an endless body that counts what was taken from it.
type zeros struct{ read int64 }

func (z *zeros) Read(p []byte) (int, error) { z.read += int64(len(p)); return len(p), nil }

func TestFault_B14_HugeBody(t *testing.T) {
	_, _, ts, hash := sample(t)
	request := func(length int64, body io.Reader) *http.Request {
		r := httptest.NewRequest("POST", Prefix+"default", body)
		r.ContentLength = length
		r.Header.Set("close-sig-timestamp", ts)
		r.Header.Set("close-sig-hash", hash)
		return r
	}
	t.Run("announced", func(t *testing.T) {
		z := &zeros{}
		require.Equal(t, 413, setup(t).do(request(1<<30, z)).Code)
		require.Zero(t, z.read, "refused before reading")
	})
	t.Run("endless", func(t *testing.T) {
		z := &zeros{}
		w := setup(t).do(request(-1, z))
		require.Equal(t, 413, w.Code)
		require.Equal(t, "close", w.Header().Get("Connection"))
		require.LessOrEqual(t, z.read, int64(10<<20+1))
	})
	t.Run("a sender that writes first and reads then hears of it", func(t *testing.T) {
		srv := httptest.NewServer(setup(t))
		defer srv.Close()
		for name, headers := range map[string]string{"signed": "Close-Sig-Timestamp: " + ts + "\r\nClose-Sig-Hash: " + hash + "\r\n", "not signed": ""} {
			conn, err := net.Dial("tcp", srv.Listener.Addr().String()) //nolint:noctx // ends with the server
			require.NoError(t, err)
			_, err = fmt.Fprintf(conn, "POST %sdefault HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n", Prefix, headers, 9<<20)
			require.NoError(t, err)
			_, err = conn.Write(make([]byte, 9<<20))
			require.NoError(t, err, name)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err, name)
			require.NoError(t, resp.Body.Close())
			require.NoError(t, conn.Close())
			require.Equal(t, 413, resp.StatusCode, name)
		}
	})
	t.Run("exactly the limit", func(t *testing.T) {
		b := setup(t)
		body := delivery(event("ev_1"))
		body = append(body, bytes.Repeat([]byte(" "), 5<<20-len(body))...)
		require.Equal(t, 200, b.signed("default", body).Code)
		require.Equal(t, 413, b.signed("default", append(body, ' ')).Code)
	})
	t.Run("memory is one budget and comes back", func(t *testing.T) {
		b := setup(t, func(o *Options) { o.MaxMemory = 11 << 20 })
		for range 50 {
			require.Equal(t, 413, b.do(request(-1, &zeros{})).Code)
		}
		require.True(t, b.bodies.budget.TryAcquire(11<<20), "all is released")
		require.Equal(t, 503, b.signed("default", delivery(event("ev_1"))).Code, "nothing is left")
		b.bodies.budget.Release(11 << 20)
		require.Equal(t, 200, b.signed("default", delivery(event("ev_1"))).Code)
	})
}

func TestFault_B15_DeepAndWide(t *testing.T) {
	b := setup(t)
	deep := strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000)
	require.Equal(t, 400, b.signed("default", delivery(`{"id":"e","data":`+deep+`}`)).Code)

	wide := delivery(`{"id":"e","data":[` + strings.TrimSuffix(strings.Repeat("{},", 1<<20/3), ",") + `]}`)
	var before, after runtime.MemStats
	d := Delivery{Raw: wide}
	runtime.ReadMemStats(&before)
	require.NoError(t, decode(&d))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20), "1 MiB of {} costs no tree")
	require.Equal(t, 200, b.signed("default", wide).Code)
}

func TestFault_B17_FloodOfUnsigned(t *testing.T) {
	b := setup(t)
	body, _, ts, hash := sample(t)
	send := func(addr string, good bool) int {
		r := httptest.NewRequest("POST", Prefix+"default", bytes.NewReader(body))
		r.RemoteAddr = addr
		if good {
			r.Header.Set("close-sig-timestamp", ts)
			r.Header.Set("close-sig-hash", hash)
		}
		return b.do(r).Code
	}
	codes := map[int]int{}
	for i := range 10_000 {
		codes[send("203.0.113.9:"+strconv.Itoa(1024+i), false)]++
		if i%100 == 0 {
			require.Equal(t, 200, send("198.51.100.7:443", true), "a genuine sender is not hindered")
		}
	}
	require.Equal(t, map[int]int{401: refusalBurst, 429: 10_000 - refusalBurst}, codes)
	require.Equal(t, 1, b.keys.lookups, "forged requests ask nobody for keys")
	require.Len(t, b.sink.all(), 100)

	b.now = b.now.Add(2 * refusalRefill)
	require.Equal(t, 401, send("203.0.113.9:1", false), "refusals come back with time")
	for range 100 {
		require.Equal(t, 401, send("127.0.0.1:1", false), "a proxy is never shut out")
	}
	require.Equal(t, 200, send("127.0.0.1:1", true))
}

func TestFault_B17_UnknownNamesAskRarely(t *testing.T) {
	b := setup(t)
	for i := range 5000 {
		w := b.signed("guess"+strconv.Itoa(i), delivery(event("ev_1")))
		require.Contains(t, []int{404, 503}, w.Code)
	}
	require.LessOrEqual(t, b.keys.lookups, 100)
}

func TestFault_B18_UnknownTypes(t *testing.T) {
	b := setup(t)
	body := delivery(`{"id":"ev_1","object_type":"hologram","object_id":"holo_1","action":"beamed","organization_id":"` + sampleOrg + `"}`)
	require.Equal(t, 200, b.signed("default", body).Code)
	require.Equal(t, "hologram", b.sink.all()[0].ObjectType)
	require.False(t, b.sink.all()[0].Odd)
}

func TestFault_B20_OddEvents(t *testing.T) {
	for _, c := range []struct {
		name, event string
		odd, alien  bool
	}{
		{"data null", `{"id":"e","object_type":"lead","object_id":"l","data":null}`, false, false},
		{"other organization", `{"id":"e","object_type":"lead","object_id":"l","organization_id":"orga_x"}`, false, true},
		{"null organization", `{"id":"e","object_type":"lead","object_id":"l","organization_id":null}`, false, false},
		{"event null", `null`, true, false},
		{"event list", `[1,2]`, true, false},
		{"event empty", `{}`, true, false},
		{"id a number", `{"id":7,"object_type":"lead","object_id":"l"}`, true, false},
		{"id an object", `{"id":{"id":"x"},"object_type":"lead","object_id":"l"}`, true, false},
		{"id with NUL", `{"id":"a\u0000b","object_type":"lead","object_id":"l"}`, true, false},
		{"id of a megabyte", `{"id":"` + strings.Repeat("a", 1<<20) + `","object_type":"lead","object_id":"l"}`, true, false},
		{"date unreadable", `{"id":"e","object_type":"lead","object_id":"l","date_updated":"yesterday"}`, false, false},
		{"identity deeper down", `{"data":{"id":"e","object_type":"lead","object_id":"l"}}`, true, false},
		{"invalid UTF-8 in data", "{\"id\":\"e\",\"object_type\":\"lead\",\"object_id\":\"l\",\"data\":\"\xff\"}", false, false},
		{"repeated names in data", `{"id":"e","object_type":"lead","object_id":"l","data":{"a":1,"a":2}}`, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t)
			require.Equal(t, 200, b.signed("default", delivery(c.event)).Code)
			d := b.sink.all()[0]
			require.Equal(t, c.odd, d.Odd, "odd")
			require.Equal(t, c.alien, d.Foreign, "foreign")
			require.Equal(t, delivery(c.event), d.Raw, "nothing is lost")
		})
	}
}
