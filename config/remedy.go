package config

import (
	"maps"
	"slices"
)

// secretRemedy answers people who write a secret where none is read.
var secretRemedy = map[string]string{
	"api_key":     "keys are not written in the file: name an environment variable with api_key_env, or a file with api_key_file",
	"admin_token": "set CLOSESYNC_ADMIN_TOKEN or admin_token_file",
	"webhook_key": "set CLOSESYNC_WEBHOOK_KEY or webhook_key_file",
}

// remedyForUnknown proposes the nearest known key, else lists them all.
func remedyForUnknown(name string, known map[string]func(node)) string {
	if r, ok := secretRemedy[name]; ok {
		return r
	}
	return Suggest(name, slices.Collect(maps.Keys(known)))
}

// Suggest answers a name that is not known with the nearest one that is, else
// with all of them.
func Suggest(name string, known []string) string {
	known = slices.Sorted(slices.Values(known))
	if best := nearest(name, known); best != "" {
		return "did you mean " + best + "?"
	}
	return "known here: " + orList(known)
}

// nearest gives the known name that is at most two letters away, "" for none.
func nearest(name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(name, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// editDistance is Levenshtein's; long names are not compared.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next := min(row[j]+1, row[j-1]+1, diagonal+cost)
			diagonal, row[j] = row[j], next
		}
	}
	return row[len(b)]
}
