package closetest

import "math/rand/v2"

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newID is prefix, underscore and n letters from the seeded source. Close
// uses 43 for records and 22 for events, requests, pipelines and keys.
func newID(r *rand.Rand, prefix string, n int) string {
	b := make([]byte, 0, len(prefix)+1+n)
	b = append(b, prefix...)
	b = append(b, '_')
	for n > 0 {
		for bits, k := r.Uint64(), 10; k > 0 && n > 0; k, n = k-1, n-1 {
			b = append(b, alphabet[bits%62])
			bits /= 62
		}
	}
	return string(b)
}

func (s *Server) longID(prefix string) string { return newID(s.rng, prefix, 43) }

// requestID has a source of its own: reading must not change which ids records
// get.
func (s *Server) requestID() string {
	s.drawn++
	return newID(s.requests, "req", 22)
}

func (s *Server) shortID(prefix string) string { return newID(s.rng, prefix, 22) }
