package closetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// The document for users names every control call and every kind of fault.
func TestDocumentIsComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/sandbox.md")
	require.NoError(t, err)
	for _, c := range ControlCalls() {
		row := "| `" + c.Name + "` | "
		if c.Takes != "" {
			row += "`" + c.Takes + "`"
		}
		require.Contains(t, string(text), row+" | "+c.Does+" |", "docs/sandbox.md lacks %s", c.Name)
	}
	kinds := faultKinds(t)
	require.Greater(t, len(kinds), 15)
	for _, k := range kinds {
		require.Contains(t, string(text), "`"+k+"`", "docs/sandbox.md lacks %s", k)
	}
}

// faultKinds reads them from the source: a list by hand would be forgotten.
func faultKinds(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "fault.go", nil, 0)
	require.NoError(t, err)
	var kinds []string
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "FaultKind" {
			for _, v := range spec.Values {
				text, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				require.NoError(t, err)
				kinds = append(kinds, text)
			}
		}
		return true
	})
	return kinds
}
