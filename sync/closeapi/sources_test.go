package closeapi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every method that calls Close says on which page its behaviour stands, and
// the package needs nothing of the project around it.
func TestMethodsCiteTheirPage(t *testing.T) {
	calls := 0
	eachFile(t, func(name string, f *ast.File) {
		for _, i := range f.Imports {
			require.False(t, strings.HasPrefix(i.Path.Value, `"closesync`), "%s imports %s", name, i.Path.Value)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || !fn.Name.IsExported() || !takesContext(fn) {
				continue
			}
			calls++
			require.Contains(t, fn.Doc.Text(), "Source: developer.close.com/", "%s: %s", name, fn.Name.Name)
		}
	})
	require.Greater(t, calls, 50)
}

func eachFile(t *testing.T, visit func(name string, f *ast.File)) {
	t.Helper()
	names, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, n := range names {
		if !strings.HasSuffix(n.Name(), ".go") || strings.HasSuffix(n.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), n.Name(), nil, parser.ParseComments)
		require.NoError(t, err)
		visit(n.Name(), f)
	}
}

func takesContext(fn *ast.FuncDecl) bool {
	if len(fn.Type.Params.List) == 0 {
		return false
	}
	sel, ok := fn.Type.Params.List[0].Type.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Context"
}
