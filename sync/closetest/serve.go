package closetest

import "net/http/httptest"

// Start serves on a loopback port until the test ends and returns the base
// URL, ending in /api/v1/.
func (s *Server) Start(t Cleanup) string {
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	return h.URL + "/api/v1/"
}
