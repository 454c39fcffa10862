// Command mutants builds the worker with deliberate bugs, one at a time, and
// prints which test notices each. A bug is a small edit of the source that is
// compiled through an overlay: nothing of it is in the program.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Edit replaces a text that occurs once in a file.
type Edit struct{ File, From, To string }

// Mutant is one deliberate bug.
type Mutant struct {
	N   int
	Bug string
	// Why says how the edits make this bug.
	Why   string
	Edits []Edit
	// Package and Run name the tests that should notice it.
	Package, Run string
	// None says why the bug cannot be made in this design; it has no edits then.
	None string
}

// Place names the files that are edited.
func (m Mutant) Place() string {
	var files []string
	for _, e := range m.Edits {
		if !slices.Contains(files, e.File) {
			files = append(files, e.File)
		}
	}
	return strings.Join(files, " ")
}

// all are the mutants by number.
func all() []Mutant {
	list := slices.Concat(noticing, writing, merging, limits, safety, kin)
	slices.SortFunc(list, func(a, b Mutant) int { return a.N - b.N })
	return list
}

// apply gives the edited files. A text that is not there, or more than once,
// is an error: the bug would be another one than it says.
func (m Mutant) apply(root string) (map[string]string, error) {
	files := map[string]string{}
	for _, e := range m.Edits {
		text, edited := files[e.File]
		if !edited {
			raw, err := os.ReadFile(filepath.Join(root, e.File))
			if err != nil {
				return nil, fmt.Errorf("mutant %d: %w", m.N, err)
			}
			text = string(raw)
		}
		if n := strings.Count(text, e.From); n != 1 {
			return nil, fmt.Errorf("mutant %d: %s holds %d times %q", m.N, e.File, n, e.From)
		}
		files[e.File] = strings.Replace(text, e.From, e.To, 1)
	}
	return files, nil
}

// overlay writes edited files into dir and gives the file that -overlay takes.
func overlay(root, dir string, files map[string]string) (string, error) {
	replace := map[string]string{}
	for file, text := range files {
		at := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, file)] = at
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, raw, 0o600)
}

// absolute is what an overlay needs.
func absolute(root string) (string, error) { return filepath.Abs(root) }
