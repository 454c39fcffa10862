// Package source checks what holds for the source as a whole. Here: the text of
// SQL statements comes from constants, and in the few places that build
// statements on mapped tables, from names that were quoted. A value or a name
// of a user never becomes SQL.
package source

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// calls are the methods that take SQL, with the place of its argument.
var calls = map[string]int{"Exec": 1, "Query": 1, "QueryRow": 1, "Queue": 0}

// quoters are functions whose result is safe in SQL, whatever they get.
var quoters = []string{"quote", "quoted", "literal", "itoa", "Sanitize", "views"}

// quotedFields are fields that hold quoted names or texts of the database's
// own catalogue (types, defaults), never text of a user.
var quotedFields = []string{"name", "key", "keyCast", "closeID", "cast", "newKey", "stored"}

// trusted are the names of parameters that hold SQL; the arguments for them are
// checked where such a function is called.
var trusted = []string{"sql", "where", "set", "expression", "lock"}

type checked struct {
	fset   *token.FileSet
	consts map[string]bool
	vars   map[string][]ast.Expr    // of the package, by name
	funcs  map[string]*ast.FuncDecl // of the package, by name
	bad    []string
}

func TestSecurity_24_SQLIsMadeOfConstantsAndQuotedNames(t *testing.T) {
	root := filepath.Join("..", "..")
	for _, dir := range []string{"sync/store", "jobs", "cmd/closesync", "migrations", "internal/web"} {
		s := parse(t, filepath.Join(root, dir))
		require.Empty(t, s.bad, dir)
	}
}

// What the check is for is found, or it proves nothing.
func TestSecurity_24_TheCheckFindsInjection(t *testing.T) {
	for _, body := range []string{
		`q.Exec(ctx, "DELETE FROM t WHERE a = '" + input + "'")`,
		`q.Query(ctx, fmt.Sprintf("SELECT %s", input))`,
		`text := "SELECT " + input; q.QueryRow(ctx, text)`,
		`b.Queue(strings.Join(input, ","))`,
	} {
		s := checked{fset: token.NewFileSet(), consts: map[string]bool{}, vars: map[string][]ast.Expr{}, funcs: map[string]*ast.FuncDecl{}}
		file, err := parser.ParseFile(s.fset, "x.go", "package x\nfunc f(input string) {\n"+body+"\n}", 0)
		require.NoError(t, err)
		s.file(file)
		require.NotEmpty(t, s.bad, body)
	}
}

func parse(t *testing.T, dir string) checked {
	t.Helper()
	s := checked{fset: token.NewFileSet(), consts: map[string]bool{}, vars: map[string][]ast.Expr{}, funcs: map[string]*ast.FuncDecl{}}
	var files []*ast.File
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(s.fset, path, nil, 0)
		files = append(files, file)
		return err
	}))
	require.NotEmpty(t, files, dir)
	for _, f := range files {
		s.constants(f)
	}
	for _, f := range files {
		s.file(f)
	}
	return s
}

// constants notes the package's functions, variables and constants: what the
// last are made of is checked by the compiler.
func (s *checked) constants(f *ast.File) {
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			s.funcs[fn.Name.Name] = fn
		}
		g, ok := d.(*ast.GenDecl)
		if !ok || (g.Tok != token.CONST && g.Tok != token.VAR) {
			continue
		}
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			for i, n := range v.Names {
				s.consts[n.Name] = g.Tok == token.CONST
				if g.Tok == token.VAR && i < len(v.Values) {
					s.vars[n.Name] = []ast.Expr{v.Values[i]}
				}
			}
		}
	}
}

func (s *checked) file(f *ast.File) {
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			s.function(fn)
		}
	}
}

func (s *checked) function(fn *ast.FuncDecl) {
	made := assignments(fn)
	ast.Inspect(fn, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		for _, arg := range s.sqlArguments(call) {
			if !s.safe(arg, made, nil) {
				s.bad = append(s.bad, s.fset.Position(call.Pos()).String())
			}
		}
		return true
	})
}

// sqlArguments are the arguments of a call that become SQL.
func (s *checked) sqlArguments(call *ast.CallExpr) []ast.Expr {
	name := called(call)
	if _, method := call.Fun.(*ast.SelectorExpr); method {
		if at, ok := calls[name]; ok && len(call.Args) > at {
			return call.Args[at : at+1]
		}
	}
	var list []ast.Expr
	if fn := s.funcs[name]; fn != nil {
		for i, param := range parameters(fn) {
			if slices.Contains(trusted, param) && i < len(call.Args) {
				list = append(list, call.Args[i])
			}
		}
	}
	return list
}

func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func parameters(fn *ast.FuncDecl) []string {
	var names []string
	for _, field := range fn.Type.Params.List {
		for _, n := range field.Names {
			names = append(names, n.Name)
		}
	}
	return names
}

// assignments gives, by name, everything that a function assigns to a variable
// or adds to it.
func assignments(fn *ast.FuncDecl) map[string][]ast.Expr {
	made := map[string][]ast.Expr{}
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				if id, ok := l.(*ast.Ident); ok && len(n.Rhs) == len(n.Lhs) {
					made[id.Name] = append(made[id.Name], n.Rhs[i])
				}
			}
		case *ast.RangeStmt:
			if id, ok := n.Value.(*ast.Ident); ok {
				made[id.Name] = append(made[id.Name], n.X)
			}
		case *ast.ValueSpec:
			for i, id := range n.Names {
				if i < len(n.Values) {
					made[id.Name] = append(made[id.Name], n.Values[i])
				}
			}
		}
		return true
	})
	return made
}

// safe reports whether an expression can only be constants and quoted names.
func (s *checked) safe(e ast.Expr, made map[string][]ast.Expr, seen []string) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.ParenExpr:
		return s.safe(e.X, made, seen)
	case *ast.BinaryExpr:
		return s.safe(e.X, made, seen) && s.safe(e.Y, made, seen)
	case *ast.CompositeLit:
		return s.allSafe(e.Elts, made, seen)
	case *ast.KeyValueExpr:
		return s.safe(e.Value, made, seen)
	case *ast.SliceExpr:
		return s.safe(e.X, made, seen)
	case *ast.IndexExpr:
		return s.safe(e.X, made, seen)
	case *ast.SelectorExpr:
		return slices.Contains(quotedFields, e.Sel.Name) || slices.Contains(trusted, e.Sel.Name) || e.Sel.Name == "RiverSchema"
	case *ast.Ident:
		return s.safeName(e.Name, made, seen)
	case *ast.CallExpr:
		return s.safeCall(e, made, seen)
	}
	return false
}

func (s *checked) allSafe(list []ast.Expr, made map[string][]ast.Expr, seen []string) bool {
	for _, e := range list {
		if !s.safe(e, made, seen) {
			return false
		}
	}
	return true
}

func (s *checked) safeName(name string, made map[string][]ast.Expr, seen []string) bool {
	if s.consts[name] || slices.Contains(seen, name) || name == "nil" || name == "i" || name == "RiverSchema" {
		return true
	}
	exprs := made[name]
	if len(exprs) == 0 {
		exprs = s.vars[name]
	}
	if len(exprs) > 0 {
		return s.allSafe(exprs, made, append(seen, name))
	}
	return slices.Contains(trusted, name)
}

func (s *checked) safeCall(call *ast.CallExpr, made map[string][]ast.Expr, seen []string) bool {
	name := called(call)
	switch {
	case slices.Contains(quoters, name):
		return true
	case name == "append" || name == "Sprintf" || name == "Join" || name == "string":
		return s.allSafe(call.Args, made, seen)
	case s.funcs[name] != nil && !slices.Contains(seen, name+"()"):
		return s.safeResult(call, s.funcs[name], made, append(seen, name+"()"))
	}
	return false
}

// safeResult reports whether a function of the package, called like that, can
// only return safe text.
func (s *checked) safeResult(call *ast.CallExpr, fn *ast.FuncDecl, caller map[string][]ast.Expr, seen []string) bool {
	made, safe := assignments(fn), true
	for i, param := range parameters(fn) {
		if i < len(call.Args) && s.safe(call.Args[i], caller, seen) {
			made[param] = append(made[param], &ast.BasicLit{})
		}
	}
	ast.Inspect(fn, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok {
			safe = safe && s.allSafe(r.Results, made, seen)
		}
		return true
	})
	return safe
}
