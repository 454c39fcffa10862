-- The worker's own state. Every key starts with the connection, so that many
-- organizations share one database. Times are UTC.
CREATE SCHEMA IF NOT EXISTS closesync;

-- The one clock of everything that is due, leased, counted in a window or kept
-- for a while: the database's, because those of workers may differ. Its body is
-- resolved now, so no search_path can change it, and it is inlined. A test puts
-- another clock in its place.
CREATE FUNCTION closesync.clock() RETURNS timestamptz
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN clock_timestamp();

CREATE TABLE closesync.connections (
    id              int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE,
    organization_id text,
    -- The database this binding was made in: a copy started elsewhere differs.
    system_identifier text,
    database_name   text,
    bound_at        timestamptz,
    -- Sealed under the API key of the last start: a command with the same key
    -- need not ask Close whose it is.
    key_seal        text,
    -- Table, key and columns that each object was mapped to last.
    mapped          jsonb NOT NULL DEFAULT '{}',
    webhook         jsonb NOT NULL DEFAULT '{}',
    last_delivery_at timestamptz,
    pause_to_close   boolean NOT NULL DEFAULT false,
    pause_from_close boolean NOT NULL DEFAULT false,
    api_error       text,
    api_checked_at  timestamptz
);

-- One row a record: what links both sides and what they last agreed on.
CREATE TABLE closesync.records (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection     int NOT NULL,
    object_type    text NOT NULL,
    close_id       text,
    local_key      text,
    -- As text: it is only ever read as a whole, and taking json apart and
    -- together again costs more than all else of a record's row.
    base           json,
    remote_version timestamptz,
    remote_hash    bigint,
    -- Transaction that last wrote the row for us: a row whose xmin differs was
    -- touched by somebody else since.
    local_xid      bigint,
    state          text NOT NULL DEFAULT 'synced',
    last_error     text,
    error_class    text,
    attempts       int NOT NULL DEFAULT 0,
    last_synced_at timestamptz,
    alias_of       text,
    parked         jsonb,
    -- Forms in which Close keeps values of a row that Close's do not go to.
    learned        jsonb,
    -- The row was there before the first load and has no Close id yet: it is not
    -- created in Close unless an operator says so.
    existed        boolean NOT NULL DEFAULT false,
    -- The parent that this record waits for, whose link makes it due: its type,
    -- then '#' and its local key or ':' and its Close id.
    waits_for      text,
    -- The row as it was when it was deleted here, until that is decided.
    removed        jsonb
) WITH (fillfactor = 90);
-- The selective column first: a look-up by ids then cannot be planned as a scan
-- of everything of one type, even before the table has statistics. Compared by
-- bytes, which is several times faster than by the rules of a language.
CREATE UNIQUE INDEX records_close_id ON closesync.records (close_id text_pattern_ops, object_type, connection);
CREATE UNIQUE INDEX records_local_key ON closesync.records (local_key text_pattern_ops, object_type, connection);
CREATE INDEX records_waiting ON closesync.records (waits_for) WHERE waits_for IS NOT NULL;
CREATE INDEX records_not_synced ON closesync.records (connection, object_type, state) WHERE state <> 'synced';

-- A row exists exactly while a record may differ. Marks only raise gen; a cycle
-- removes the row if gen is still what it noted (rule R2).
CREATE TABLE closesync.dirty (
    record_id   bigint PRIMARY KEY REFERENCES closesync.records (id) ON DELETE CASCADE,
    connection  int NOT NULL,
    gen         bigint NOT NULL DEFAULT 1,
    events      bigint[] NOT NULL DEFAULT '{}',
    refetch     boolean NOT NULL DEFAULT false,
    cause       jsonb NOT NULL DEFAULT '{}',
    priority    smallint NOT NULL DEFAULT 0,
    not_before  timestamptz NOT NULL DEFAULT '-infinity',
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    fence       bigint NOT NULL DEFAULT 0,
    -- Who claimed it last. Its claims are free at once when it is gone.
    worker      text NOT NULL DEFAULT '',
    attempts    int NOT NULL DEFAULT 0,
    -- A record that it referred to has its row again.
    refill      boolean NOT NULL DEFAULT false,
    local_at    timestamptz,
    marked_at   timestamptz NOT NULL DEFAULT closesync.clock()
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
-- When a mark may be claimed, and in which order marks are: those of one side
-- first, or those of the other. However many wait, a claim reads its own.
CREATE INDEX dirty_due ON closesync.dirty (connection, greatest(not_before, lease_until));
CREATE INDEX dirty_local_first ON closesync.dirty (connection, priority DESC, (coalesce(local_at, '-infinity') = '-infinity'), marked_at)
    WHERE not_before < 'infinity';
CREATE INDEX dirty_close_first ON closesync.dirty (connection, priority DESC, (coalesce(local_at, '-infinity') = '-infinity') DESC, marked_at)
    WHERE not_before < 'infinity';

-- Events as they came, by webhook or from the event log, kept 31 days.
CREATE TABLE closesync.inbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection   int NOT NULL,
    event_id     text NOT NULL,
    date_updated timestamptz NOT NULL,
    object_type  text NOT NULL,
    object_id    text NOT NULL,
    action       text NOT NULL,
    source       text NOT NULL,
    stale        boolean NOT NULL DEFAULT false,
    body         bytea NOT NULL,
    received_at  timestamptz NOT NULL DEFAULT closesync.clock(),
    -- Consolidated events come again under the same id (reliability.md, B2).
    UNIQUE (connection, event_id, date_updated)
);
CREATE INDEX inbox_received ON closesync.inbox USING brin (received_at);

-- Records whose every trace was erased: what their last events still say of
-- them is not stored again. Ids alone tell nothing of a person.
CREATE TABLE closesync.erased (
    connection int NOT NULL,
    close_id   text NOT NULL,
    erased_at  timestamptz NOT NULL DEFAULT closesync.clock(),
    PRIMARY KEY (close_id, connection)
);

-- Hints of local changes, appended by triggers inside the user's transaction.
CREATE TABLE closesync.outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection  int NOT NULL,
    object_type text NOT NULL,
    local_key   text NOT NULL,
    operation   "char" NOT NULL,
    old_key     text,
    old_row     jsonb,
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at          timestamptz NOT NULL DEFAULT closesync.clock()
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

-- Every write to Close before it is sent; its outcome after (rule R3).
CREATE TABLE closesync.intents (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection  int NOT NULL,
    record_id   bigint NOT NULL,
    object_type text NOT NULL,
    close_id    text,
    local_key   text,
    action      text NOT NULL,
    sent        jsonb,
    -- What Close held in the sent fields right before, and after the write.
    seen        jsonb,
    answer      jsonb,
    -- The record's date_updated at those two moments, and the one up to which it
    -- is known what an update overwrote in Close.
    version_read timestamptz,
    version_left timestamptz,
    version_told timestamptz,
    -- What the record carries in its marker field, if it is a marked create.
    marker      text,
    -- A moment not after the sending, in Close's time.
    close_at    timestamptz,
    -- 'ambiguous': several records of Close, its candidates, could be the effect
    -- of a create; a person decides.
    state       text NOT NULL DEFAULT 'open',
    candidates  text[],
    error       text,
    created_at  timestamptz NOT NULL DEFAULT closesync.clock(),
    sent_at     timestamptz,
    finished_at timestamptz
);
CREATE INDEX intents_open ON closesync.intents (connection, record_id) WHERE state IN ('open', 'unknown', 'ambiguous');
CREATE INDEX intents_create_record ON closesync.intents (record_id) WHERE action = 'create';
CREATE INDEX intents_update_record ON closesync.intents (record_id, id) WHERE action = 'update';
CREATE INDEX intents_created ON closesync.intents USING brin (created_at);

-- What our last reading showed of records that a delete of ours ends: the event
-- of the deletion tells what was edited after it. told: that is known.
CREATE TABLE closesync.partings (
    record_id bigint PRIMARY KEY,
    intent_id bigint NOT NULL REFERENCES closesync.intents ON DELETE CASCADE,
    seen      jsonb NOT NULL,
    told      boolean NOT NULL DEFAULT false
);
CREATE INDEX partings_intent ON closesync.partings (intent_id);

CREATE TABLE closesync.checkpoints (
    connection  int NOT NULL,
    stream      text NOT NULL,
    watermark   timestamptz,
    position    jsonb NOT NULL DEFAULT '{}',
    last_run_at timestamptz,
    PRIMARY KEY (connection, stream)
);

CREATE TABLE closesync.conflict_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection  int NOT NULL,
    record_id   bigint NOT NULL,
    object_type text NOT NULL,
    close_id    text,
    local_key   text,
    field       text NOT NULL,
    base_value  jsonb,
    local_value jsonb,
    close_value jsonb,
    rule        text NOT NULL,
    winner      text,
    status      text NOT NULL,
    choice      jsonb,
    detected_at timestamptz NOT NULL DEFAULT closesync.clock(),
    resolved_at timestamptz
);
CREATE UNIQUE INDEX conflict_open ON closesync.conflict_log (record_id, field) WHERE status = 'open';
CREATE INDEX conflict_record ON closesync.conflict_log (connection, object_type, close_id);

CREATE TABLE closesync.journal_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT closesync.clock(),
    connection  int NOT NULL,
    object_type text NOT NULL,
    close_id    text,
    local_key   text,
    direction   text NOT NULL,
    action      text NOT NULL,
    field       text,
    old_value   jsonb,
    new_value   jsonb,
    cause       jsonb NOT NULL DEFAULT '{}',
    run_id      bigint
);
CREATE INDEX journal_close_id ON closesync.journal_log (close_id, id);
CREATE INDEX journal_local ON closesync.journal_log (object_type, local_key, id);
CREATE INDEX journal_at ON closesync.journal_log USING brin (at);

CREATE TABLE closesync.run_log (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection  int NOT NULL,
    kind        text NOT NULL,
    object_type text,
    started_at  timestamptz NOT NULL DEFAULT closesync.clock(),
    finished_at timestamptz,
    state       text NOT NULL DEFAULT 'running',
    seen        bigint NOT NULL DEFAULT 0,
    changed     bigint NOT NULL DEFAULT 0,
    requests    bigint NOT NULL DEFAULT 0,
    error       text
);
CREATE INDEX run_log_started ON closesync.run_log (connection, started_at DESC);

CREATE TABLE closesync.holds (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection  int NOT NULL,
    kind        text NOT NULL,
    object_type text NOT NULL,
    field       text NOT NULL DEFAULT '', -- that a hold of kind clear is about
    reason      text NOT NULL,
    status      text NOT NULL DEFAULT 'open',
    created_at  timestamptz NOT NULL DEFAULT closesync.clock(),
    decided_at  timestamptz
);
CREATE UNIQUE INDEX holds_open ON closesync.holds (connection, kind, object_type, field) WHERE status = 'open';
CREATE TABLE closesync.hold_items (
    hold_id   bigint NOT NULL REFERENCES closesync.holds (id) ON DELETE CASCADE,
    record_id bigint NOT NULL,
    done      boolean NOT NULL DEFAULT false, -- the decision was carried out
    PRIMARY KEY (hold_id, record_id)
);
CREATE INDEX hold_items_record ON closesync.hold_items (record_id);

-- How far an object type has come into being here. A row is made when the rows
-- that were there before are registered; hints are not taken before that.
CREATE TABLE closesync.first_loads (
    connection  int NOT NULL,
    object_type text NOT NULL,
    -- What Close holds is kept apart in arrivals until it is matched with rows.
    staged      boolean NOT NULL DEFAULT false,
    matched_at  timestamptz,
    -- Before this nothing of the type is sent to Close.
    loaded_at   timestamptz,
    PRIMARY KEY (connection, object_type)
);

-- Records of Close as the first load read them, kept apart while rows that were
-- there before may be matched with them.
CREATE TABLE closesync.arrivals (
    connection  int NOT NULL,
    object_type text NOT NULL,
    close_id    text NOT NULL,
    created     timestamptz NOT NULL,
    version     timestamptz NOT NULL,
    marker      text NOT NULL,
    record      json NOT NULL,
    empty       text[] NOT NULL, -- fields known to be empty
    PRIMARY KEY (connection, object_type, close_id)
);
CREATE INDEX arrivals_created ON closesync.arrivals (connection, object_type, created, close_id);

-- What rows of before the first load and records of Close are matched by: digests
-- of the fields of the match rule. side is 'l' for a row, 'r' for a record.
CREATE TABLE closesync.match_keys (
    connection  int NOT NULL,
    object_type text NOT NULL,
    side        "char" NOT NULL,
    ref         text NOT NULL, -- id of the row's record, or Close id
    key         text NOT NULL,
    PRIMARY KEY (connection, object_type, side, ref, key)
);
CREATE INDEX match_keys_key ON closesync.match_keys (connection, object_type, key);

CREATE VIEW closesync.record_status AS
SELECT c.name AS connection, r.object_type, r.close_id, r.local_key,
       CASE WHEN r.state = 'synced' AND d.record_id IS NOT NULL THEN 'pending' ELSE r.state END AS state,
       r.last_error, r.error_class, greatest(r.attempts, d.attempts) AS attempts,
       CASE WHEN d.attempts > 0 AND isfinite(d.not_before) THEN d.not_before END AS next_attempt_at,
       r.last_synced_at
FROM closesync.records r
JOIN closesync.connections c ON c.id = r.connection
LEFT JOIN closesync.dirty d ON d.record_id = r.id;

CREATE VIEW closesync.conflicts AS
SELECT l.id, c.name AS connection, l.object_type, l.close_id, l.local_key, l.field, l.base_value,
       l.local_value, l.close_value, l.rule, l.winner, l.status, l.detected_at, l.resolved_at
FROM closesync.conflict_log l JOIN closesync.connections c ON c.id = l.connection;

CREATE VIEW closesync.journal AS
SELECT j.id, j.at, c.name AS connection, j.object_type, j.close_id, j.local_key, j.direction, j.action,
       j.field, j.old_value, j.new_value, j.cause, j.run_id
FROM closesync.journal_log j JOIN closesync.connections c ON c.id = j.connection;

CREATE VIEW closesync.runs AS
SELECT r.id, c.name AS connection, r.kind, r.object_type, r.started_at, r.finished_at, r.state, r.seen,
       r.changed, r.requests, r.error
FROM closesync.run_log r JOIN closesync.connections c ON c.id = r.connection;
