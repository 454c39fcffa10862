package sim

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
)

// tracer makes each statement of a worker a yield point.
type tracer struct{ *Lane }

// dead is what a statement of a killed worker runs under: it is never sent.
var dead = func() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errCrashed)
	return ctx
}()

func (l tracer) before(ctx context.Context, conn *pgx.Conn, sql string) context.Context {
	t := taskOf(ctx)
	if t == nil || sql == "rollback" { // a dead worker's connection ends, which rolls back as well
		return ctx
	}
	t.pid.Store(conn.PgConn().PID())
	if err := l.world.yield(t, "sql "+brief(sql)); err != nil {
		return dead
	}
	if err := l.tellTime(); err != nil {
		return dead
	}
	return ctx
}

// brief names a statement: enough to tell it from others.
func brief(sql string) string {
	words := strings.Fields(strings.ReplaceAll(sql, ";", " ")) // a begin is marked in the same message
	return strings.Join(words[:min(len(words), 8)], " ")
}

// TraceQueryStart: see before.
func (l tracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return context.WithValue(l.before(ctx, conn, data.SQL), sqlKey{}, statement{data.SQL, taskOf(ctx)})
}

type sqlKey struct{}

type statement struct {
	sql  string
	task *task
}

// TraceQueryEnd keeps count of open transactions, and of what may have given up
// a lock.
func (l tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	st, _ := ctx.Value(sqlKey{}).(statement)
	if st.task == nil {
		return
	}
	switch {
	case strings.HasPrefix(st.sql, "begin"):
		if data.Err == nil {
			st.task.inTx.Add(1)
		}
	case st.sql == "commit", st.sql == "rollback":
		st.task.inTx.Store(0)
	}
	if st.task.inTx.Load() == 0 || strings.HasPrefix(st.sql, "rollback") {
		l.releases.Add(1)
	}
}

// TraceCopyFromStart: see before.
func (l tracer) TraceCopyFromStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	return l.before(ctx, conn, "copy "+data.TableName.Sanitize())
}

// TraceCopyFromEnd has nothing to do.
func (tracer) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}

// localTracer stops a local program whose statement waited for a lock until
// the schedule comes back to it.
type localTracer struct{ *Lane }

// TraceQueryStart has nothing to do.
func (localTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd stops the program.
func (l localTracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	l.releases.Add(1)
	if t := taskOf(ctx); t != nil && t.blocked.Load() {
		t.told <- false
		<-t.resume
	}
}
