package config

import (
	"fmt"
	"strings"
)

// Position is where a setting was written. File is the path of the config
// file as opened, or "environment" or "flag", which have Line 0.
type Position struct {
	File string
	Line int
}

// String gives "file:line", or the file alone when there is no line.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Problem is one wrong setting. No part of it repeats a value, because the
// value may be a secret in the wrong place.
type Problem struct {
	Position
	Key    string // dotted path, as in "guards.max_deletes"; empty for the file itself
	What   string // what is wrong
	Remedy string // what to write instead; may be empty
}

// String gives "file:line: key: what (remedy)".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Position.String())
	if p.Key != "" {
		b.WriteString(": " + p.Key)
	}
	b.WriteString(": " + p.What)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// Error lists everything that is wrong with the settings, in the order of the
// file, then the environment, then the flags. A command that gets one exits 2.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problems collects what is wrong while reading goes on.
type problems struct{ list []Problem }

func (p *problems) add(pos Position, key, what, remedy string) {
	p.list = append(p.list, Problem{Position: pos, Key: key, What: what, Remedy: remedy})
}

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	return &Error{Problems: p.list}
}
