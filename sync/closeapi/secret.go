package closeapi

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a text that never prints itself: every way of formatting,
// logging or marshalling it gives "[redacted]". Reveal is the only way out.
type Secret string

// Reveal returns the text. Call it only where the secret is used.
func (s Secret) Reveal() string { return string(s) }

// String implements [fmt.Stringer].
func (Secret) String() string { return redacted }

// GoString implements [fmt.GoStringer], for %#v.
func (Secret) GoString() string { return redacted }

// Format implements [fmt.Formatter], so that no verb (not even %x) shows it.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler, which YAML and map keys use.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
