package closeapi

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzRateLimitHeader(f *testing.F) {
	for _, s := range []string{"limit=100, remaining=50, reset=5", "limit=160; remaining=0; reset=3.25", "reset=NaN", "reset=-1e9,limit=0", "LIMIT = 1e400 ;;=,", ""} {
		f.Add(s, "4")
	}
	f.Fuzz(func(t *testing.T, header, retry string) {
		h := parseRate(http.Header{"Ratelimit": {header}, "Retry-After": {retry}})
		if h.hasReset {
			require.GreaterOrEqual(t, h.reset, minReset)
			require.LessOrEqual(t, h.reset, maxReset)
		}
		require.GreaterOrEqual(t, h.limit, 0.0)
		require.GreaterOrEqual(t, h.remaining, -1.0)
	})
}

func fuzzEnvelope(f *testing.F, then func(*testing.T, RawMessage)) {
	f.Add([]byte(`{"data":[{"id":"a","id":"b"},null,3],"cursor":null}`))
	f.Add([]byte(`{"data":null}`))
	f.Add([]byte(`{"data":[{"id":"\ud800"}],"count":{"limited":1,"total":2}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var e envelope
		if e.decode(body) != nil {
			return
		}
		for _, raw := range e.records {
			require.NoError(t, checkObject(raw), "every record handed out is one object without duplicate keys")
			then(t, raw)
		}
	})
}

func FuzzSearchDecode(f *testing.F) {
	f.Add([]byte(sample(f, "search-response.json")))
	fuzzEnvelope(f, func(_ *testing.T, raw RawMessage) {
		_, _, _ = identify(raw, "date_updated")
		_, _ = decodeInto[Contact](raw)
	})
}

func FuzzEventDecode(f *testing.F) {
	f.Add([]byte(sample(f, "event-list.json")))
	fuzzEnvelope(f, func(_ *testing.T, raw RawMessage) { _, _ = DecodeEvent(raw) })
}
