package store

import (
	"errors"
	"fmt"
)

// ErrNoTable: a mapped table or one of its key columns does not exist.
var ErrNoTable = errors.New("mapped table is not usable")

// TableError names the key of the mapping that asks for what is not there. It
// is an ErrNoTable.
type TableError struct {
	ObjectType string
	Key        string // of the mapping: "table", "key" or "close_id"
	What       string
}

func (e *TableError) Error() string { return ErrNoTable.Error() + ": " + e.What }

func (e *TableError) Unwrap() error { return ErrNoTable }

// errHidden: row-level security hides rows of a mapped table from the worker.
var errHidden = fmt.Errorf("%w: row-level security hides rows", ErrNoTable)

// ErrForeign: the database is bound to another organization, or it is a copy
// of the one that was bound (faults A38, C6). Nothing may be written.
var ErrForeign = errors.New("database belongs to another organization or place")

// ErrMoved: an object is mapped to another table or key than the one whose rows
// are linked. Nothing may be written.
var ErrMoved = errors.New("mapped elsewhere than before")

// ErrNotOwner: the capture triggers are not in order, and this role may not
// make them.
var ErrNotOwner = errors.New("only the owner of a table may make its capture triggers")
