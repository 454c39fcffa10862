package closetest

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// apiError is an answer other than 2xx, with one of Close's body shapes.
type apiError struct {
	status int
	body   any
}

func (e *apiError) Error() string {
	b, _ := json.Marshal(e.body)
	return fmt.Sprintf("status %d: %s", e.status, b)
}

func sentence(status int, format string, args ...any) *apiError {
	return &apiError{status, map[string]any{"error": fmt.Sprintf(format, args...)}}
}

func badRequest(format string, args ...any) *apiError { return sentence(400, format, args...) }

func notFound(kind string) *apiError {
	return sentence(404, "Empty query: %s matching query does not exist.", title(kind))
}

func title(kind string) string {
	if kind == "" {
		return "Object"
	}
	return string(kind[0]-'a'+'A') + kind[1:]
}

// fieldErrors collects messages by field; the value of a nested list is
// itself an error body keyed by position.
type fieldErrors map[string]any

func (f fieldErrors) err() *apiError {
	if len(f) == 0 {
		return nil
	}
	return &apiError{400, f.body()}
}

func (f fieldErrors) body() map[string]any {
	return map[string]any{"errors": []any{}, "field-errors": map[string]any(f)}
}

// atIndex wraps the errors of one item of a list.
func atIndex(i int, f fieldErrors) map[string]any {
	return map[string]any{"errors": map[string]any{strconv.Itoa(i): f.body()}}
}
