package webhook

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Names that nobody has must not push out the one that is real.
func TestKeyCache_GuessesKeepTheRealName(t *testing.T) {
	now := time.Unix(1795161610, 0)
	keys := &keyring{keys: map[string][]SigningKey{"default": {{Key: []byte("k")}}}}
	c := newKeyCache(keys, func() time.Time { return now })
	_, err := c.get(t.Context(), "default", keysFresh)
	require.NoError(t, err)
	for i := range keysMost {
		_, err := c.fetch(t.Context(), "guess"+strconv.Itoa(i), now)
		require.NoError(t, err)
	}
	require.LessOrEqual(t, len(c.entries), keysMost)
	for c.unknown.AllowN(now, 1) { // the guesses have used up the lookups
	}
	_, err = c.get(t.Context(), "default", keysFresh)
	require.NoError(t, err)
}
