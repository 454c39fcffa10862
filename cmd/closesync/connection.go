package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"closesync/config"
)

func newConnectionCommand(o *options) *cobra.Command {
	return group("connection", "Accounts", nil, o.connectionList(), o.connectionAdd(), o.connectionRemove(), o.connectionTest())
}

type connectionRow struct {
	ID      string `json:"id"`
	BaseURL string `json:"base_url"`
	KeyFrom string `json:"key_from"`
	HasKey  bool   `json:"has_key"`
}

func rowOf(c config.Connection) connectionRow {
	from := c.APIKeyEnv
	if c.APIKeyFile != "" {
		from = c.APIKeyFile
	}
	return connectionRow{c.Name, c.BaseURL, from, !c.APIKey.IsZero()}
}

func (o *options) connectionList() *cobra.Command {
	return o.jsonFlag(&cobra.Command{
		Use: "list", Short: "List the connections", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			cfg, err := o.load()
			if err != nil {
				return err
			}
			var rows []connectionRow
			for _, c := range cfg.Connections {
				rows = append(rows, rowOf(c))
			}
			return show(o, rows, []string{"name", "API root", "key from", "key found"}, func(r connectionRow) []any {
				return []any{r.ID, r.BaseURL, r.KeyFrom, r.HasKey}
			})
		},
	})
}

type testRow struct {
	ID           string `json:"id"`
	OK           bool   `json:"ok"`
	Organization string `json:"organization_id"`
	User         string `json:"user"`
	SeesAll      bool   `json:"sees_all_leads"`
	Error        string `json:"error"`
}

func (o *options) connectionTest() *cobra.Command {
	return o.jsonFlag(&cobra.Command{
		Use: "test [NAME …]", Short: "Ask Close whether the keys are good",
		RunE: func(c *cobra.Command, names []string) error {
			cfg, err := o.load()
			if err != nil {
				return err
			}
			if len(names) == 0 {
				for _, conn := range cfg.Connections {
					names = append(names, conn.Name)
				}
			}
			var rows []testRow
			bad := 0
			for _, name := range names {
				r := testRow{ID: name}
				client, err := o.client(cfg, name)
				if err != nil {
					return err
				}
				me, err := client.Me(c.Context())
				client.CloseIdle()
				if err != nil {
					r.Error = err.Error()
					bad++
				} else {
					r.Organization, r.SeesAll = identify(me)
					r.OK, r.User = true, me.Email
				}
				rows = append(rows, r)
			}
			err = show(o, rows, []string{"name", "ok", "organization", "user", "sees all leads", "error"}, func(r testRow) []any {
				return []any{r.ID, r.OK, r.Organization, r.User, r.SeesAll, r.Error}
			})
			if err == nil && bad > 0 {
				return fmt.Errorf("%d of %d connections do not work", bad, len(names))
			}
			return err
		},
	})
}
