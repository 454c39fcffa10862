package closeapi

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWaitExport(t *testing.T) {
	b := setup(t)
	state := func(s string) http.HandlerFunc { return answer(200, `{"id":"expo_1","status":"`+s+`"}`) }
	n := b.on("export/expo_1/", state("created"), state("in_progress"), state("done"))
	e, err := b.WaitExport(t.Context(), "expo_1")
	require.NoError(t, err)
	require.Equal(t, ExportDone, e.Status)
	require.Equal(t, 3, n())
	require.Equal(t, []time.Duration{2 * time.Second, 4 * time.Second}, b.clock.slept)
	b.on("export/expo_2/", state("error"))
	_, err = b.WaitExport(t.Context(), "expo_2")
	require.ErrorContains(t, err, "expo_2 failed")
}

func TestOpenExport(t *testing.T) {
	b := setup(t)
	const text = `{"id":"lead_1"}`
	packed := string(gzipped(t, []byte(text)))
	for name, h := range map[string]http.HandlerFunc{
		"plain":             answer(200, text),
		"packed file":       answer(200, packed, "Content-Type", "application/gzip"),
		"packed on its way": answer(200, packed, "Content-Encoding", "gzip"),
		"packed twice":      answer(200, string(gzipped(t, []byte(packed))), "Content-Encoding", "gzip"),
	} {
		files := setup(t)
		files.mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
			require.Empty(t, r.Header.Get("Authorization"), "another host gets no key")
			h(w, r)
		})
		f, err := b.OpenExport(t.Context(), &Export{DownloadURL: files.base.Scheme + "://" + files.base.Host + "/file"})
		require.NoError(t, err, name)
		got, err := io.ReadAll(f)
		require.NoError(t, err, name)
		require.Equal(t, text, string(got), name)
		require.NoError(t, f.Close())
	}
	other := setup(t)
	other.mux.HandleFunc("/", answer(403, ``))
	for _, address := range []string{"", "http://files.example/x", "https://user:secret@files.example/", "file:///etc/passwd", other.base.String()} {
		_, err := b.OpenExport(t.Context(), &Export{DownloadURL: address})
		require.Error(t, err, address)
		require.NotContains(t, err.Error(), "secret")
	}
}
