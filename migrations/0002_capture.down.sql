DROP FUNCTION IF EXISTS closesync.capture() CASCADE;
DROP FUNCTION IF EXISTS closesync.capture_truncate() CASCADE;
DROP FUNCTION IF EXISTS closesync.plain(oid);
