package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/cobra"

	"closesync/config"
)

func (o *options) connectionAdd() *cobra.Command {
	var env, file string
	c := &cobra.Command{
		Use: "add NAME", Short: "Write a connection into the config file", Args: cobra.ExactArgs(1),
		Long: "Write a connection into the config file. Its key stays where it is: in an environment variable or a file.",
		RunE: func(_ *cobra.Command, args []string) error {
			if (env == "") == (file == "") {
				return usageError("say where its key is, with --api-key-env or --api-key-file")
			}
			entry := yaml.MapSlice{{Key: "name", Value: args[0]}}
			if env != "" {
				entry = append(entry, yaml.MapItem{Key: "api_key_env", Value: env})
			} else {
				entry = append(entry, yaml.MapItem{Key: "api_key_file", Value: file})
			}
			if f := o.flags.Lookup(config.FlagBaseURL); f.Changed {
				entry = append(entry, yaml.MapItem{Key: "base_url", Value: f.Value.String()})
			}
			return o.editConfig(func(text []byte) ([]byte, error) { return addConnection(text, entry) },
				"connection "+args[0]+" is added; try it with: closesync connection test "+args[0])
		},
	}
	c.Flags().StringVar(&env, "api-key-env", "", "`variable` of the environment that holds the key")
	c.Flags().StringVar(&file, "api-key-file", "", "`file` that holds the key")
	return c
}

func (o *options) connectionRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Take a connection out of the config file", Args: cobra.ExactArgs(1),
		Long: "Take a connection out of the config file. Rows and what closesync knows about them stay in the database.\n" +
			"So do the triggers closesync_capture and closesync_truncate on its tables: until they are dropped or another\n" +
			"connection takes the tables over, changes of their rows are noted in closesync.outbox, where nobody takes them.",
		RunE: func(_ *cobra.Command, args []string) error {
			return o.editConfig(func(text []byte) ([]byte, error) { return removeConnection(text, args[0]) },
				"connection "+args[0]+" is removed; its rows, their links and the capture triggers of its tables stay in the database")
		},
	}
}

// editConfig changes the config file as a whole or not at all: the new text is
// read like any config first, and then takes the old one's place in one step.
// That a worker cannot run with it yet is told: the objects may be edited next.
func (o *options) editConfig(edit func([]byte) ([]byte, error), done string) error {
	name := o.configFile()
	before, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	after, err := edit(before)
	if err != nil {
		return err
	}
	read := func(path string) ([]byte, error) {
		if path == name {
			return after, nil
		}
		return os.ReadFile(path)
	}
	cfg, err := config.Load(config.Source{Args: map[string]string{config.FlagConfig: name}, Environ: o.environ, ReadFile: read})
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("%s is left as it was, because it would be wrong then:\n%w", name, err)}
	}
	if err := replaceFile(name, after); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(o.err, done)
	if err := tablesOfOne(cfg); err != nil {
		_, _ = fmt.Fprintln(o.err, "`closesync run` will refuse this file: "+err.Error())
	}
	return nil
}

// configFile is the file that load reads.
func (o *options) configFile() string {
	if f := o.flags.Lookup(config.FlagConfig); f.Changed {
		return f.Value.String()
	}
	for _, e := range slices.Backward(o.environ) {
		if v, ok := strings.CutPrefix(e, "CLOSESYNC_CONFIG="); ok && strings.TrimSpace(v) != "" {
			return strings.TrimSpace(v)
		}
	}
	return config.FileName
}

// replaceFile keeps the mode of a file that is there.
func replaceFile(name string, text []byte) error {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	temp, err := os.CreateTemp(filepath.Dir(name), ".closesync-*.yaml")
	if err != nil {
		return err
	}
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}

// addConnection appends to the list of connections. The connection that exists
// while the file names none is written down too, or it would go.
func addConnection(text []byte, entry yaml.MapSlice) ([]byte, error) {
	file, err := parser.ParseBytes(text, parser.ParseComments)
	if err != nil {
		return nil, usageError("the config file is not valid YAML")
	}
	if list, _ := connectionsOf(file); list != nil {
		added, err := yaml.ValueToNode([]yaml.MapSlice{entry}, yaml.Flow(list.IsFlowStyle))
		if err != nil {
			return nil, err
		}
		path, err := yaml.PathString("$.connections")
		if err != nil {
			return nil, err
		}
		if err := path.MergeFromNode(file, added); err != nil {
			return nil, err
		}
		return []byte(file.String()), nil
	}
	all := []yaml.MapSlice{{{Key: "name", Value: config.DefaultConnection}, {Key: "api_key_env", Value: "CLOSE_API_KEY"}}, entry}
	head, err := yaml.MarshalWithOptions(yaml.MapSlice{{Key: "connections", Value: all}}, yaml.IndentSequence(true))
	return append(head, text...), err
}

func removeConnection(text []byte, name string) ([]byte, error) {
	file, err := parser.ParseBytes(text, parser.ParseComments)
	if err != nil {
		return nil, usageError("the config file is not valid YAML")
	}
	list, names := connectionsOf(file)
	i := slices.Index(names, name)
	switch {
	case i < 0:
		return nil, usageError("the config file has no connection %q", name)
	case len(names) == 1:
		return nil, usageError("%q is the only connection of the config file; a worker needs one", name)
	}
	list.Values = slices.Delete(list.Values, i, i+1)
	if i < len(list.Entries) {
		list.Entries = slices.Delete(list.Entries, i, i+1)
	}
	if i < len(list.ValueHeadComments) {
		list.ValueHeadComments = slices.Delete(list.ValueHeadComments, i, i+1)
	}
	return []byte(file.String()), nil
}

// connectionsOf finds the list in the tree, and the names in it; nil if there
// is none.
func connectionsOf(file *ast.File) (*ast.SequenceNode, []string) {
	path, err := yaml.PathString("$.connections")
	if err != nil {
		return nil, nil
	}
	found, err := path.FilterFile(file)
	if err != nil {
		return nil, nil
	}
	list, ok := found.(*ast.SequenceNode)
	if !ok {
		return nil, nil
	}
	var names []string
	for _, v := range list.Values {
		var c struct {
			Name string `yaml:"name"`
		}
		_ = yaml.NodeToValue(v, &c)
		names = append(names, c.Name)
	}
	return list, names
}
