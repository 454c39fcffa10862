package main

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"closesync/config"
	"closesync/mapping"
	"closesync/migrations"
)

// migrateUp brings the schema up to date, and our own tables to where the
// mapping has their parents.
func migrateUp(ctx context.Context, cfg *config.Config, pool *pgxpool.Pool) error {
	bound, err := objects(cfg)
	if err != nil {
		return err
	}
	if err := migrations.Up(ctx, pool); err != nil {
		return err
	}
	return migrations.Refer(ctx, pool, references(bound))
}

// references lists those of the tables that migrations make.
func references(bound map[string]*mapping.Object) []migrations.Reference {
	var list []migrations.Reference
	for _, t := range enabled(bound) {
		o := bound[t]
		if o.OwnTable {
			continue
		}
		for _, f := range o.Parents() {
			if p := bound[f.Parent]; p != nil {
				list = append(list, migrations.Reference{Table: identifier(o), Column: f.Column, Parent: identifier(p), ParentKey: p.Key, Required: f.Required})
			}
		}
	}
	return list
}

func identifier(o *mapping.Object) pgx.Identifier {
	return pgx.Identifier{o.Table.Schema, o.Table.Name}
}
