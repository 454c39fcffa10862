package closeapi

import "log/slog"

const slogDebug = slog.LevelDebug

func callAttrs(k *call, attempt int, err error) []slog.Attr {
	return []slog.Attr{
		slog.String("method", k.method),
		slog.String("path", k.path),
		slog.Int("attempt", attempt),
		slog.Any("error", err),
	}
}
