package main

import (
	"context"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"closesync/sync/closeapi"
)

// recordTypes are the objects that record acts on.
var recordTypes = []string{"lead", "contact", "opportunity", "task"}

func newRecordCommand(o *options) *cobra.Command {
	return group("record", "Act on records of Close directly", nil,
		o.recordGet(), o.recordCreate(), o.recordUpdate(), o.recordDelete(), o.recordSearch(), o.recordFilter())
}

// recordCommand is one call on one object type, which is the first argument.
func (o *options) recordCommand(use, short string, args int, reads bool, do func(context.Context, *closeapi.Client, []string) (jsontext.Value, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(args), ValidArgs: recordTypes,
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains(recordTypes, args[0]) {
				return usageError("unknown object %q: use %s", args[0], strings.Join(recordTypes, ", "))
			}
			return o.withClient(c.Context(), reads, func(ctx context.Context, client *closeapi.Client) error {
				body, err := do(ctx, client, args)
				if err != nil {
					return o.refused(err)
				}
				return o.printBody(body)
			})
		},
	}
}

func (o *options) recordGet() *cobra.Command {
	var fields []string
	c := o.recordCommand("get OBJECT ID", "Read a record", 2, true, func(ctx context.Context, client *closeapi.Client, args []string) (jsontext.Value, error) {
		body, err := client.GetRaw(ctx, args[0], args[1], fields...)
		return jsontext.Value(body), err
	})
	c.Flags().StringSliceVar(&fields, "fields", nil, "only these `fields`")
	return c
}

func (o *options) recordCreate() *cobra.Command {
	var data string
	c := o.recordCommand("create OBJECT", "Create a record", 1, false, func(ctx context.Context, client *closeapi.Client, args []string) (jsontext.Value, error) {
		body, err := o.fields(data)
		if err != nil {
			return nil, err
		}
		made, err := client.CreateRaw(ctx, args[0], []byte(body))
		return jsontext.Value(made), err
	})
	c.Flags().StringVar(&data, "data", "", "fields: `JSON` object, @file, or - for stdin")
	return c
}

func (o *options) recordUpdate() *cobra.Command {
	var data string
	c := o.recordCommand("update OBJECT ID", "Change fields of a record", 2, false, func(ctx context.Context, client *closeapi.Client, args []string) (jsontext.Value, error) {
		body, err := o.fields(data)
		if err != nil {
			return nil, err
		}
		changed, err := client.UpdateRaw(ctx, args[0], args[1], []byte(body))
		return jsontext.Value(changed), err
	})
	c.Flags().StringVar(&data, "data", "", "fields: `JSON` object, @file, or - for stdin")
	return c
}

func (o *options) recordDelete() *cobra.Command {
	return o.recordCommand("delete OBJECT ID", "Delete a record", 2, false, func(ctx context.Context, client *closeapi.Client, args []string) (jsontext.Value, error) {
		return nil, client.DeleteRaw(ctx, args[0], args[1])
	})
}

// fields reads the fields of a write, which are one JSON object.
func (o *options) fields(data string) (jsontext.Value, error) {
	body, err := o.data(data)
	if err != nil {
		return nil, err
	}
	if body == nil || body.Kind() != '{' {
		return nil, usageError("give the fields as one JSON object with --data")
	}
	return body, nil
}
