// Package seal keeps small secrets in a database that must not know them:
// AES-256-GCM under a key derived from one that lives outside it. Whoever
// reads or copies the database alone gets nothing.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrOtherKey: the text was sealed under another key, for another purpose, or
// was changed.
var ErrOtherKey = errors.New("sealed under another key or for another purpose")

const format = "seal1"

// Sealer seals and opens under one key. It is safe for concurrent use.
type Sealer struct {
	id   string // tells keys apart without telling anything about them
	aead cipher.AEAD
}

// New derives a Sealer from a secret of high entropy, such as an API key; a
// password would need a slow derivation.
func New(secret []byte) (*Sealer, error) {
	if len(secret) == 0 {
		return nil, errors.New("seal: no secret to derive a key from")
	}
	key, err := hkdf.Key(sha256.New, secret, []byte("closesync"), "sealing key", 32)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	sum := sha256.Sum256(key)
	return &Sealer{id: hex.EncodeToString(sum[:4]), aead: aead}, nil
}

// Seal gives a printable text. Purpose is bound to it: what was sealed for one
// row or use does not open for another.
func (s *Sealer) Seal(plain, purpose string) (string, error) {
	nonce := make([]byte, s.aead.NonceSize())
	if _, err := io.ReadFull(rand.Reader, nonce); err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	sealed := s.aead.Seal(nonce, nonce, []byte(plain), []byte(purpose))
	return strings.Join([]string{format, s.id, base64.RawStdEncoding.EncodeToString(sealed)}, "."), nil
}

// Open is the reverse of Seal. Its error is ErrOtherKey and says no more.
func (s *Sealer) Open(text, purpose string) (string, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || parts[0] != format || parts[1] != s.id {
		return "", ErrOtherKey
	}
	sealed, err := base64.RawStdEncoding.DecodeString(parts[2])
	n := s.aead.NonceSize()
	if err != nil || len(sealed) < n {
		return "", ErrOtherKey
	}
	plain, err := s.aead.Open(nil, sealed[:n], sealed[n:], []byte(purpose))
	if err != nil {
		return "", ErrOtherKey
	}
	return string(plain), nil
}
