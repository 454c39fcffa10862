package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"closesync/config"
	"closesync/sync/store"
)

// misplacedError is what the config file asks of the database in vain. It
// exits with 2, like everything that is wrong in the file.
type misplacedError struct {
	in    config.Error
	cause error
}

func (e *misplacedError) Error() string { return e.in.Error() }

func (e *misplacedError) Unwrap() error { return e.cause }

// misplaced names file, line and key where the config file asks for tables and
// key columns that are not there. Other errors stay as they are.
func misplaced(cfg *config.Config, err error) error {
	var list []config.Problem
	for _, e := range leaves(err) {
		var t *store.TableError
		if !errors.As(e, &t) {
			return err
		}
		p, named := placed(cfg, t.ObjectType, t.Key, "")
		if !named {
			return err
		}
		p.What, p.Remedy = t.What, "create it, or correct the name"
		list = append(list, p)
	}
	if len(list) == 0 {
		return err
	}
	return &exitError{exitUsage, &misplacedError{config.Error{Problems: list}, err}}
}

// leaves takes joined errors apart.
func leaves(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return many.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// possible refuses a mapping that the tables never fitted.
func possible(ctx context.Context, cfg *config.Config, s *store.Store) error {
	found, err := s.Impossible(ctx)
	if err != nil {
		return err
	}
	var list []config.Problem
	for _, f := range found {
		if p, named := placed(cfg, f.ObjectType, f.Key, f.Field); named {
			p.What, p.Remedy = f.Table+": "+f.What, "change the table, or correct the config file"
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return &exitError{exitUsage, &config.Error{Problems: list}}
}

// placed gives the place of a key, or of the entry of a field, in the config
// file, if that is what names it.
func placed(cfg *config.Config, objectType, key, field string) (config.Problem, bool) {
	o, ok := cfg.Objects[objectType]
	if !ok {
		return config.Problem{}, false
	}
	at, named := o.Positions()[key]
	// Columns of fields are those of the table that the file names.
	if key == "fields" && !named {
		at, named = o.Positions()["table"]
		key = "table"
	}
	if i := slices.IndexFunc(o.Fields, func(f config.Field) bool { return f.Close == field }); key == "fields" && i >= 0 {
		at, key = o.Fields[i].Position, fmt.Sprintf("fields[%d].column", i)
	}
	return config.Problem{Position: at, Key: strings.Join([]string{"objects", objectType, key}, ".")}, named
}
