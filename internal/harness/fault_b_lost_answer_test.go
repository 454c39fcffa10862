package harness

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// deaf is a way from Close to us that loses our answers: the delivery arrives
// and is acted on, and Close learns nothing of it.
type deaf struct {
	lose int // so many answers
	lost []int
}

func (d *deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || len(d.lost) == d.lose {
		return answer, err
	}
	d.lost = append(d.lost, answer.StatusCode)
	return nil, errors.Join(errors.New("connection reset before the answer"), answer.Body.Close())
}

func TestFault_B7_AnAnswerLostAfterTheCommit(t *testing.T) {
	h := hook(t, nil)
	way := &deaf{lose: 3}
	close := &http.Client{Transport: way}
	h.renamed(0, "Told four times")
	journal := func() string { return h.Get("SELECT count(*) FROM closesync.journal") }
	var acted string
	for i := range way.lose {
		h.Close.DeliverWebhooks(t.Context(), close)
		require.Equal(t, 1, h.Close.QueuedWebhooks(), "Close takes it for undelivered")
		require.Equal(t, "1", h.inbox("true"), "and it is here, once")
		h.Settle()
		h.Equal()
		if i == 0 {
			acted = journal()
			require.NotEqual(t, "0", acted)
		}
		h.clock.Advance(time.Hour)
	}
	require.Equal(t, []int{http.StatusOK, http.StatusOK, http.StatusOK}, way.lost)
	h.Close.DeliverWebhooks(t.Context(), close)
	require.Zero(t, h.Close.QueuedWebhooks())
	h.Settle()
	require.Equal(t, "1", h.inbox("true"))
	require.Equal(t, acted, journal(), "acted on once")
	h.Equal()
}
