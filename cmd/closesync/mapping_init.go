package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"closesync/config"
	"closesync/mapping"
	"closesync/sync/closeapi"
)

func (o *options) mappingInit() *cobra.Command {
	var create bool
	c := &cobra.Command{
		Use: "init", Short: "Write a config file to start from", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			name := o.configFile()
			if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s exists; nothing was written", name)
			}
			k, err := o.askClose(c.Context(), create)
			if err != nil {
				return err
			}
			defer k.close()
			if err := k.markers(c.Context(), create); err != nil {
				return err
			}
			return o.writeNew(name, startingConfig(k))
		},
	}
	c.Flags().BoolVar(&create, "create-marker", false, "create a hidden custom field in Close for each object, by which a create whose answer was lost is found again")
	return c
}

func (o *options) writeNew(name, text string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err := file.WriteString(text); err != nil {
		return errors.Join(err, file.Close())
	}
	_, _ = fmt.Fprintf(o.err, "%s is written\n", name)
	return file.Close()
}

// closeSide is what init learns from Close; empty if there is no key or no
// answer, which a first config can do without.
type closeSide struct {
	*options
	cfg    *config.Config
	client *closeapi.Client                     // nil: nothing was learned
	fields map[string][]closeapi.CustomFieldDef // by object type
	marker map[string]string                    // id of the marker field, by object type
}

func (o *options) askClose(ctx context.Context, needed bool) (*closeSide, error) {
	k := &closeSide{options: o, fields: map[string][]closeapi.CustomFieldDef{}, marker: map[string]string{}}
	// The file that the environment names is the one to be written, or not ours.
	args := o.given()
	delete(args, config.FlagConfig)
	environ := slices.DeleteFunc(slices.Clone(o.environ), func(e string) bool { return strings.HasPrefix(e, "CLOSESYNC_CONFIG=") })
	cfg, err := config.Load(config.Source{Args: args, Environ: environ, ReadFile: func(string) ([]byte, error) { return nil, fs.ErrNotExist }})
	if err == nil && cfg.Connections[0].APIKey.IsZero() {
		err = usageError("%s", noKey(cfg.Connections[0]))
	}
	if err == nil {
		k.cfg = cfg
		k.client, err = o.client(cfg, cfg.Connections[0].Name)
	}
	if err == nil {
		err = k.list(ctx)
	}
	if err == nil || needed {
		return k, err
	}
	k.close()
	k.client = nil
	_, _ = fmt.Fprintln(o.err, "the custom fields are left out: "+err.Error())
	return k, nil
}

func (k *closeSide) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for _, t := range mapping.Types() {
		found, err := k.client.CustomFields(ctx, t)
		if err != nil {
			return err
		}
		k.fields[t] = found
	}
	return nil
}

func (k *closeSide) close() {
	if k.client != nil {
		k.client.CloseIdle()
	}
}

// lines are the custom fields of a type as lines of a comment.
func (k *closeSide) lines(objectType string) []string {
	var lines []string
	for _, f := range k.fields[objectType] {
		if f.ID == k.marker[objectType] {
			continue
		}
		name := strings.Join(strings.Fields(f.Name), " ")
		lines = append(lines, fmt.Sprintf("{close: custom.%s, column: %s}  # %s, %s", f.ID, columnName(name), name, f.Type))
	}
	return lines
}

// columnName makes a plain column name of a label.
func columnName(label string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(label) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	name := strings.TrimSuffix(b.String(), "_")
	if name == "" || name[0] <= '9' {
		name = "f_" + name
	}
	return name[:min(len(name), 60)]
}

// startingConfig is a config file that says what holds anyway.
func startingConfig(k *closeSide) string {
	var b strings.Builder
	b.WriteString(`# closesync. Every key may be left out; what stands here is the default.
connections:
  - name: default
    api_key_env: CLOSE_API_KEY
schedule:
  events: "@every 15s"
  search: "*/5 * * * *"
  audit: "30 3 * * *"
guards: {max_deletes: 50, max_delete_percent: 10, max_creates: 1000, max_clears: 50}
rate: {reserve_percent: 20}
objects:
`)
	for _, t := range mapping.Types() {
		m := mapping.Default(t)
		fmt.Fprintf(&b, "  %s:\n    table: %s\n    key: %s\n    close_id: %s\n    direction: %s\n    conflict: %s\n    on_close_delete: %s\n    on_local_delete: %s\n",
			t, m.Table, m.Key, m.CloseID, m.Direction, m.Policy, m.OnClose.Kind, m.OnLocal)
		b.WriteString("    match: []  # fields by which rows that exist on both sides are linked the first time\n")
		if id := k.marker[t]; id != "" {
			fmt.Fprintf(&b, "    external_id_field: %s  # carries our key in Close; never in a column\n", id)
		}
		b.WriteString("    # fields: replaces all fields below, and the column custom:\n")
		for _, f := range m.Fields {
			fmt.Fprintf(&b, "    #   - {close: %s, column: %s}\n", f.Close, f.Column)
		}
		for _, line := range k.lines(t) {
			b.WriteString("    #   - " + line + "\n")
		}
	}
	return b.String()
}
