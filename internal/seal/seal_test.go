package seal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSecurity_14_SealedTextOpensOnlyAsItWasSealed(t *testing.T) {
	s, err := New([]byte("api_key.one"))
	require.NoError(t, err)
	text, err := s.Seal("canary", "webhook of default")
	require.NoError(t, err)
	require.NotContains(t, text, "canary")

	plain, err := s.Open(text, "webhook of default")
	require.NoError(t, err)
	require.Equal(t, "canary", plain)

	again, err := s.Seal("canary", "webhook of default")
	require.NoError(t, err)
	require.NotEqual(t, text, again, "every sealing has a nonce of its own")

	_, err = s.Open(text, "webhook of another")
	require.ErrorIs(t, err, ErrOtherKey, "moved to another row")
	other, err := New([]byte("api_key.two"))
	require.NoError(t, err)
	_, err = other.Open(text, "webhook of default")
	require.ErrorIs(t, err, ErrOtherKey)
	for i := range text {
		changed := text[:i] + string(text[i]^1) + text[i+1:]
		_, err := s.Open(changed, "webhook of default")
		require.ErrorIs(t, err, ErrOtherKey, "byte %d", i)
	}
	for _, odd := range []string{"", ".", "..", "seal1..", strings.Repeat("a", 200), `{"signature_key":"ab"}`} {
		_, err := s.Open(odd, "webhook of default")
		require.ErrorIs(t, err, ErrOtherKey)
	}
	_, err = New(nil)
	require.Error(t, err)
}
