package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCatalogue_NumbersWithoutGaps(t *testing.T) {
	faults, err := catalogue(catalogueText)
	require.NoError(t, err)
	count := map[string]int{}
	for _, f := range faults {
		count[f.Group()]++
		require.Equal(t, f.Group()+strconv.Itoa(count[f.Group()]), f.ID)
		require.Less(t, len(f.Name), 57, f.ID)
	}
	require.Equal(t, map[string]int{"A": 41, "B": 26, "C": 38, "D": 17, "S": 40}, count)
	require.Len(t, faults, 162)
}

func TestCatalogue_RefusesOddLines(t *testing.T) {
	for _, text := range []string{"A1", "A0 zero", "E1 no such group", "A1 one\nA1 again", "A1 one\n  A2 two"} {
		_, err := catalogue(text)
		require.Error(t, err, text)
	}
}

// tree is a module with one package of tests.
func tree(t *testing.T, source string) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"some/where", "some/testdata", ".hidden", "sync/closetest"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, dir, "x_test.go"), []byte(source), 0o600))
	}
	return root
}

func TestFind_NamesThatCarryAnID(t *testing.T) {
	found, err := find(tree(t, `package x
		import "testing"
		func TestFault_A1_One(t *testing.T) {}
		func TestFault_A12_Other(t *testing.T) {}
		func TestFault_A1_Another(t *testing.T) {}
		func TestFault_Nameless_Thing(t *testing.T) {}
		// func TestFault_A2_Commented(t *testing.T) {}
		var s = "func TestFault_A3_Quoted(t *testing.T) {}"
		type m struct{}
		func (m) TestFault_A4_Method(t *testing.T) {}`))
	require.NoError(t, err)
	require.Equal(t, map[string][]Test{
		"A1":  {{"some/where", "TestFault_A1_Another"}, {"some/where", "TestFault_A1_One"}},
		"A12": {{"some/where", "TestFault_A12_Other"}},
	}, found)
}

func TestTable_SaysWhatIsMissingAndWhatFailed(t *testing.T) {
	a1, a2, b1 := Test{"p/q", "TestFault_A1_X"}, Test{"p/q", "TestFault_A2_X"}, Test{"r", "TestFault_B1_X"}
	table, strays := rows([]Fault{{"A1", "one"}, {"A2", "two"}, {"B1", "three"}, {"B2", "four"}, {"C1", "five"}},
		map[string][]Test{"A1": {a1}, "A2": {a2}, "B1": {b1}, "Z9": {{"p", "TestFault_Z9_X"}}})
	require.Len(t, strays, 1)
	require.Equal(t, []string{"B2", "C1"}, uncovered(table, ""))
	require.Equal(t, []string{"B2"}, uncovered(table, "AB"))

	results, err := read(strings.NewReader(`{"Action":"start","Package":"closesync/p/q"}
{"Action":"run","Package":"closesync/p/q","Test":"TestFault_A1_X"}
{"Action":"fail","Package":"closesync/p/q","Test":"TestFault_A1_X/sub"}
{"Action":"pass","Package":"closesync/p/q","Test":"TestFault_A1_X"}
{"Action":"skip","Package":"closesync/p/q","Test":"TestFault_A2_X"}
{"Action":"run","Package":"closesync/r","Test":"TestFault_B1_X"}
{"Action":"fail","Package":"closesync/r"}`), module)
	require.NoError(t, err)
	require.Equal(t, []string{"A2", "B1"}, unproven(table, results), "neither a skipped test nor one without an end proves anything")
	var out bytes.Buffer
	write(&out, table, results)
	for _, want := range []string{"pass     p/q.TestFault_A1_X", "SKIP     p/q.TestFault_A2_X", "NO END   r.TestFault_B1_X", "NO TEST"} {
		require.Contains(t, out.String(), want)
	}
	require.False(t, summary(&out, table, results))
	require.True(t, summary(&out, table[:1], results))
	require.True(t, summary(&out, table[:3], nil))
	require.False(t, summary(&out, table, nil))
}

func TestRead_RefusesOtherText(t *testing.T) {
	_, err := read(strings.NewReader("ok closesync 0.1s\n"), module)
	require.Error(t, err)
}

// A name with a wrong id would cover nothing and nobody would see it.
func TestFaults_EveryTestNamesAFaultOfTheCatalogue(t *testing.T) {
	faults, err := catalogue(catalogueText)
	require.NoError(t, err)
	found, err := find(filepath.Join("..", ".."))
	require.NoError(t, err)
	require.NotEmpty(t, found)
	_, strays := rows(faults, found)
	require.Empty(t, strays)
}
