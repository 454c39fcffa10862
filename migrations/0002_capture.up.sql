-- Capture of local changes. Triggers append hints only; the worker reads the
-- rows itself (rule R1). The function never names a column, so that dropping or
-- retyping one cannot make a user's statement fail.

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
        o := to_jsonb(OLD);
        n := to_jsonb(NEW);
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
        n := to_jsonb(NEW);
        INSERT INTO closesync.outbox (connection, object_type, local_key, operation)
        VALUES (TG_ARGV[0]::int, TG_ARGV[1], n ->> TG_ARGV[3], 'I');
    ELSE
        o := to_jsonb(OLD);
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
