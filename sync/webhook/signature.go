package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"
)

const (
	headerTimestamp = "Close-Sig-Timestamp"
	headerHash      = "Close-Sig-Hash"
)

// signature is what the two headers hold once their form is good.
type signature struct {
	timestamp string // ten digits
	hash      [sha256.Size]byte
}

// readSignature reads the headers. The forms are strict: timestamp and body are
// signed without a separator, so any other length of the timestamp would let a
// sender move bytes between the two under the same hash.
func readSignature(h http.Header) (signature, bool) {
	var s signature
	stamps, hashes := h[headerTimestamp], h[headerHash]
	if len(stamps) != 1 || len(hashes) != 1 {
		return s, false
	}
	if !tenDigits(stamps[0]) || !lowerHex64(hashes[0]) {
		return s, false
	}
	s.timestamp = stamps[0]
	_, err := hex.Decode(s.hash[:], []byte(hashes[0]))
	return s, err == nil
}

func tenDigits(s string) bool {
	if len(s) != 10 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func lowerHex64(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return true
}

// time is when Close signed, UTC.
func (s signature) time() time.Time {
	var unix int64
	for i := range len(s.timestamp) {
		unix = unix*10 + int64(s.timestamp[i]-'0')
	}
	return time.Unix(unix, 0).UTC()
}

// matches compares in constant time. An empty key never matches.
func (s signature) matches(key, body []byte) bool {
	if len(key) == 0 {
		return false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(s.timestamp))
	mac.Write(body)
	var sum [sha256.Size]byte
	return hmac.Equal(mac.Sum(sum[:0]), s.hash[:])
}

// verified gives the keys that signed the body: usually one, two when a
// rotation kept the bytes, none when it is forged.
func (s signature) verified(keys []SigningKey, body []byte) []SigningKey {
	var out []SigningKey
	for _, k := range keys {
		if s.matches(k.Key, body) {
			out = append(out, k)
		}
	}
	return out
}

// Sign gives the headers with which Close would deliver the body; for tests
// and the sandbox.
func Sign(key, body []byte, at time.Time) (timestamp, hash string) {
	timestamp = formatUnix(at)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(timestamp))
	mac.Write(body)
	return timestamp, hex.EncodeToString(mac.Sum(nil))
}

func formatUnix(at time.Time) string {
	var digits [10]byte
	unix := at.Unix()
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + unix%10)
		unix /= 10
	}
	return string(digits[:])
}
