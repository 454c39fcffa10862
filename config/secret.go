package config

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is text that no printer shows: fmt, slog, JSON and YAML all give
// "[redacted]", and an empty Secret gives "". Only Reveal returns the text.
type Secret struct{ text string }

// NewSecret wraps text.
func NewSecret(text string) Secret { return Secret{text: text} }

// Reveal returns the text. Pass it to the one place that needs it, never to a
// message.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether no secret was given.
func (s Secret) IsZero() bool { return s.text == "" }

// String gives the redacted form.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return redacted
}

// Format covers every fmt verb, %#v and %x included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue gives slog the redacted form.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText gives JSON and other text encoders the redacted form.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML gives the YAML encoder the redacted form.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }
