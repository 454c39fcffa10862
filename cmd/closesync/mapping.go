package main

import (
	"github.com/spf13/cobra"

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
