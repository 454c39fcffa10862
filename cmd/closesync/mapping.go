package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"closesync/config"
	"closesync/mapping"
)

func newMappingCommand(o *options) *cobra.Command {
	return group("mapping", "Which field is in which column", nil, o.mappingShow(), o.mappingCheck(), o.mappingInit())
}

var kindNames = map[mapping.Kind]string{
	mapping.Text: "text", mapping.Integer: "integer", mapping.Number: "number", mapping.Boolean: "boolean", mapping.Date: "date",
	mapping.Timestamp: "timestamp", mapping.JSON: "json", mapping.List: "list", mapping.Reference: "reference", mapping.Any: "any",
}

type fieldRow struct {
	ID        string `json:"id"` // object.field
	Object    string `json:"object"`
	Close     string `json:"close"`
	Table     string `json:"table"`
	Column    string `json:"column"`
	Kind      string `json:"kind"`
	ReadOnly  bool   `json:"read_only"`
	Conflict  string `json:"conflict"`
	Direction string `json:"direction"`
}

func (o *options) mappingShow() *cobra.Command {
	return o.jsonFlag(&cobra.Command{
		Use: "show", Short: "Print the mapping in force", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := o.load()
			if err != nil {
				return err
			}
			bound, err := objects(cfg)
			if err != nil {
				return err
			}
			var rows []fieldRow
			for _, t := range mapping.Types() {
				if bound[t] != nil {
					rows = append(rows, fieldRows(bound[t])...)
				}
			}
			return show(o, rows, []string{"object", "Close", "table", "column", "kind", "read-only", "conflict", "direction"}, func(r fieldRow) []any {
				return []any{r.Object, r.Close, r.Table, r.Column, r.Kind, r.ReadOnly, r.Conflict, r.Direction}
			})
		},
	})
}

func fieldRows(m *mapping.Object) []fieldRow {
	row := func(name, column, kind string) fieldRow {
		return fieldRow{m.Type + "." + name, m.Type, name, m.Table.String(), column, kind, false, string(m.Policy), string(m.Direction)}
	}
	rows := []fieldRow{row("id", m.CloseID, "text")}
	rows[0].ReadOnly = true
	for _, f := range m.Fields {
		r := row(f.Close, f.Column, kindNames[f.Kind])
		r.ReadOnly, r.Conflict = f.ReadOnly, string(m.FieldPolicy(f))
		rows = append(rows, r)
	}
	if m.Custom != "" {
		rows = append(rows, row("custom.*", m.Custom, "json"))
	}
	return rows
}

func (o *options) mappingCheck() *cobra.Command {
	return o.jsonFlag(&cobra.Command{
		Use: "check", Short: "Check the mapping against Close and Postgres", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			k, err := o.newCheck(c.Context())
			if err != nil {
				return err
			}
			defer k.stop()
			if k.pool != nil {
				k.mapping(c.Context())
			}
			return k.report()
		},
	})
}

func (o *options) mappingInit() *cobra.Command {
	return &cobra.Command{
		Use: "init", Short: "Write a config file to start from", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			name := o.configFile()
			if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s exists; nothing was written", name)
			}
			text := startingConfig(o.customFields(c.Context()))
			file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if err != nil {
				return err
			}
			if _, err := file.WriteString(text); err != nil {
				return errors.Join(err, file.Close())
			}
			_, _ = fmt.Fprintf(o.err, "%s is written\n", name)
			return file.Close()
		},
	}
}

// customFields lists what Close has, per object type, as lines of a comment;
// none if there is no key or no answer, which a first config can do without.
func (o *options) customFields(ctx context.Context) map[string][]string {
	cfg, err := config.Load(config.Source{Environ: o.environ, ReadFile: func(string) ([]byte, error) { return nil, fs.ErrNotExist }})
	if err != nil || cfg.Connections[0].APIKey.IsZero() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	client, err := o.client(cfg, cfg.Connections[0].Name)
	if err != nil {
		return nil
	}
	defer client.CloseIdle()
	lines := map[string][]string{}
	for _, t := range mapping.Types() {
		found, err := client.CustomFields(ctx, t)
		if err != nil {
			_, _ = fmt.Fprintln(o.err, "the custom fields are left out: "+err.Error())
			return lines
		}
		for _, f := range found {
			name := strings.Join(strings.Fields(f.Name), " ")
			lines[t] = append(lines[t], fmt.Sprintf("{close: custom.%s, column: %s}  # %s, %s", f.ID, columnName(name), name, f.Type))
		}
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
func startingConfig(custom map[string][]string) string {
	var b strings.Builder
	b.WriteString(`# closesync. Every key may be left out; what stands here is the default.
connections:
  - name: default
    api_key_env: CLOSE_API_KEY
schedule:
  events: "@every 15s"
  search: "*/5 * * * *"
  audit: "30 3 * * *"
guards: {max_deletes: 50, max_delete_percent: 10, max_creates: 1000}
rate: {reserve_percent: 20}
objects:
`)
	for _, t := range mapping.Types() {
		m := mapping.Default(t)
		fmt.Fprintf(&b, "  %s:\n    table: %s\n    key: %s\n    close_id: %s\n    direction: %s\n    conflict: %s\n    on_close_delete: %s\n    on_local_delete: %s\n",
			t, m.Table, m.Key, m.CloseID, m.Direction, m.Policy, m.OnClose.Kind, m.OnLocal)
		b.WriteString("    # fields: replaces all fields below, and the column custom:\n")
		for _, f := range m.Fields {
			fmt.Fprintf(&b, "    #   - {close: %s, column: %s}\n", f.Close, f.Column)
		}
		for _, line := range custom[t] {
			b.WriteString("    #   - " + line + "\n")
		}
	}
	return b.String()
}
