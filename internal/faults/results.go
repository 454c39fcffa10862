package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
)

// Results are how tests ended: pass, fail or skip. A test that began and never
// ended, as in a package that panicked, has none.
type Results map[Test]string

// read takes the output of `go test -json` of packages of the module.
func read(r io.Reader, module string) (Results, error) {
	results := Results{}
	lines := bufio.NewReader(r)
	for {
		l, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(l)) > 0 {
			var e struct{ Action, Package, Test string }
			if err := json.Unmarshal(l, &e); err != nil {
				return nil, fmt.Errorf("not the output of go test -json: %w", err)
			}
			if e.Test != "" && slices.Contains([]string{"pass", "fail", "skip"}, e.Action) {
				results[Test{Dir: strings.TrimPrefix(e.Package, module+"/"), Name: e.Test}] = e.Action
			}
		}
		if err == io.EOF {
			return results, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// run runs the tests. That one fails is a result, not an error; what the go
// command says of a package that does not build goes to errors.
func run(root string, tests []Test, module string, errors io.Writer) (Results, error) {
	dirs, names := map[string]bool{}, map[string]bool{}
	for _, t := range tests {
		dirs["./"+t.Dir] = true
		names[t.Name] = true
	}
	pattern := "^(" + strings.Join(slices.Sorted(maps.Keys(names)), "|") + ")$"
	args := append([]string{"test", "-json", "-count=1", "-timeout=20m", "-run", pattern}, slices.Sorted(maps.Keys(dirs))...)
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = root, errors
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	results, err := read(out, module)
	_, _ = io.Copy(io.Discard, out)
	if ended := cmd.Wait(); ended != nil && cmd.ProcessState.ExitCode() != 1 {
		return nil, fmt.Errorf("go test: %w", ended)
	}
	return results, err
}
