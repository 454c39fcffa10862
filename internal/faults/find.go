package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Test is a test function that carries the id of a fault.
type Test struct {
	Dir  string // of its package, from the root of the module, with slashes
	Name string
}

var carries = regexp.MustCompile(`^TestFault_([A-Z][0-9]+)_`)

// find gives the tests below root by the id they carry, in a fixed order.
func find(root string) (map[string][]Test, error) {
	found := map[string][]Test{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != root && skipped(d.Name()) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		names, err := testsOf(file)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(file))
		for _, name := range names {
			id := carries.FindStringSubmatch(name)[1]
			found[id] = append(found[id], Test{Dir: filepath.ToSlash(rel), Name: name})
		}
		return err
	})
	for _, tests := range found {
		slices.SortFunc(tests, func(a, b Test) int { return strings.Compare(path.Join(a.Dir, a.Name), path.Join(b.Dir, b.Name)) })
	}
	return found, err
}

// imitations are packages that play Close. Their tests show that the fault is
// played well, and nothing about the worker.
var imitations = []string{"closetest", "strictfake"}

// skipped are folders that are not looked into; the go command takes no
// packages from most of them.
func skipped(dir string) bool {
	return dir == "testdata" || strings.HasPrefix(dir, ".") || strings.HasPrefix(dir, "_") || slices.Contains(imitations, dir)
}

func testsOf(file string) ([]string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && carries.MatchString(fn.Name.Name) {
			names = append(names, fn.Name.Name)
		}
	}
	return names, nil
}
