package sim

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// secretTables writes the statement that looks for a text in every table of the
// worker and its users, in plain and as bytes.
const secretTables = `
SELECT string_agg(format('SELECT %L FROM %s t WHERE position($1 IN t::text) > 0 OR position(encode(convert_to($1, ''UTF8''), ''hex'') IN t::text) > 0',
  c.oid::regclass::text, c.oid::regclass), ' UNION ' ORDER BY c.oid::regclass::text)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('closesync', 'crm', 'river') AND c.relkind IN ('r', 'p') AND NOT c.relispartition`

// checkSecrets is I-18: neither the API key nor a signing key is in a line of
// the log, in an error or in the database.
func (w *World) checkSecrets() {
	for _, secret := range append(w.signing, w.Close.Key()) {
		if strings.Contains(w.logged.String(), secret) {
			w.violate("I-18", "a secret is in the log")
		}
		for _, problem := range w.problems {
			if strings.Contains(problem, secret) {
				w.violate("I-18", "a secret is in an error")
			}
		}
		rows, err := w.lane.admin.Query(w.lane.ctx, w.lane.secretSQL, secret)
		if err != nil {
			panic(err)
		}
		for rows.Next() {
			var table string
			if err := rows.Scan(&table); err != nil {
				panic(err)
			}
			w.violate("I-18", "a secret is in %s", table)
		}
		if err := rows.Err(); err != nil {
			panic(err)
		}
	}
}

// simpleSealer stands for the real one, which draws random numbers.
type simpleSealer struct{}

// Seal satisfies store.Sealer.
func (simpleSealer) Seal(plain, purpose string) (string, error) {
	return purpose + "|" + base64.StdEncoding.EncodeToString([]byte(plain)), nil
}

// Open satisfies store.Sealer.
func (simpleSealer) Open(sealed, purpose string) (string, error) {
	text, ok := strings.CutPrefix(sealed, purpose+"|")
	if !ok {
		return "", errors.New("sealed for another purpose")
	}
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("not sealed here: %w", err)
	}
	return string(plain), nil
}
