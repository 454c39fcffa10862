-- Capture of local changes. Triggers append hints only; the worker reads the
-- rows itself (rule R1). The function never names a column, so that dropping or
-- retyping one cannot make a user's statement fail.

-- plain gives the query that reads a row of a table where to_jsonb cannot: a
-- json column may hold what jsonb has no room for, such as \u0000. Whatever is
-- not of a simple type is read as its text.
CREATE FUNCTION closesync.plain(relation oid) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog
AS $$
    SELECT 'SELECT to_jsonb(x) FROM (SELECT '
        || string_agg(format(CASE WHEN t.typcategory IN ('A', 'C', 'P', 'U') AND t.oid <> 'jsonb'::regtype
               THEN '($1).%1$I::text AS %1$I' ELSE '($1).%1$I' END, a.attname), ', ')
        || ') x'
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
$$;

-- capture(connection, object type, worker's role, key column, mapped columns …)
-- passes over the worker's own writes: the mark alone could be set by any role,
-- so the session must be the worker's as well.
CREATE FUNCTION closesync.capture() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog
AS $$
DECLARE
    o jsonb;
    n jsonb;
    i int;
    changed boolean := false;
BEGIN
    IF session_user = TG_ARGV[2] AND current_setting('closesync.origin', true) = 'worker:' || session_user THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NEW *= OLD THEN
            RETURN NULL;
        END IF;
    END IF;
    -- A user's statement must not fail because of what its row holds. The block
    -- writes nothing, so that it takes no transaction id of its own.
    BEGIN
        o := to_jsonb(OLD);
        n := to_jsonb(NEW);
    EXCEPTION WHEN OTHERS THEN
        IF TG_OP <> 'INSERT' THEN
            EXECUTE closesync.plain(TG_RELID) INTO o USING OLD;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            EXECUTE closesync.plain(TG_RELID) INTO n USING NEW;
        END IF;
    END;
    IF TG_OP = 'UPDATE' THEN
        FOR i IN 3 .. TG_NARGS - 1 LOOP
            IF (n -> TG_ARGV[i]) IS DISTINCT FROM (o -> TG_ARGV[i]) THEN
                changed := true;
                EXIT;
            END IF;
        END LOOP;
        IF NOT changed THEN
            RETURN NULL;
        END IF;
        INSERT INTO closesync.outbox (connection, object_type, local_key, operation, old_key)
        VALUES (TG_ARGV[0]::int, TG_ARGV[1], n ->> TG_ARGV[3], 'U',
                CASE WHEN o -> TG_ARGV[3] IS DISTINCT FROM n -> TG_ARGV[3] THEN o ->> TG_ARGV[3] END);
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO closesync.outbox (connection, object_type, local_key, operation)
        VALUES (TG_ARGV[0]::int, TG_ARGV[1], n ->> TG_ARGV[3], 'I');
    ELSE
        INSERT INTO closesync.outbox (connection, object_type, local_key, operation, old_row)
        VALUES (TG_ARGV[0]::int, TG_ARGV[1], o ->> TG_ARGV[3], 'D', o);
    END IF;
    PERFORM pg_notify('closesync_outbox', TG_ARGV[0]);
    RETURN NULL;
END $$;

CREATE FUNCTION closesync.capture_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog
AS $$
BEGIN
    INSERT INTO closesync.outbox (connection, object_type, local_key, operation)
    VALUES (TG_ARGV[0]::int, TG_ARGV[1], '', 'T');
    PERFORM pg_notify('closesync_outbox', TG_ARGV[0]);
    RETURN NULL;
END $$;
