package main

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

const (
	// keptLines is how many lines of the log wait for a slow reader.
	keptLines = 1024
	// lastLines is how long the end of the program waits for it.
	lastLines = time.Second
)

// logWriter keeps the worker going when nobody takes its log: a full disk, or a
// pipe whose reader hangs, must not hold up the sync (fault D14). Lines beyond
// keptLines are lost and counted.
type logWriter struct {
	to    io.Writer
	lines chan []byte
	lost  atomic.Int64
	ended chan struct{}
}

func newLogWriter(to io.Writer) *logWriter {
	w := &logWriter{to: to, lines: make(chan []byte, keptLines), ended: make(chan struct{})}
	go w.run()
	return w
}

// Write takes one line and never waits.
func (w *logWriter) Write(line []byte) (int, error) {
	select {
	case w.lines <- bytes.Clone(line):
	default:
		w.lost.Add(1)
	}
	return len(line), nil
}

func (w *logWriter) run() {
	defer close(w.ended)
	for line := range w.lines {
		if line == nil {
			return
		}
		_, _ = w.to.Write(line) // there is nobody to tell
		if n := w.lost.Swap(0); n > 0 {
			_, _ = fmt.Fprintf(w.to, "%d lines of this log are lost: it was not read fast enough\n", n)
		}
	}
}

// finish writes what is left, for a reader that takes it.
func (w *logWriter) finish() {
	end := time.After(lastLines)
	select {
	case w.lines <- nil:
	case <-end:
		return
	}
	select {
	case <-w.ended:
	case <-end:
	}
}
