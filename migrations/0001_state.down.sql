-- The schema itself stays: the list of applied migrations lives in it.
DROP VIEW closesync.runs, closesync.journal, closesync.conflicts, closesync.record_status;
DROP TABLE closesync.match_keys, closesync.arrivals, closesync.first_loads, closesync.hold_items, closesync.holds, closesync.run_log, closesync.journal_log,
    closesync.conflict_log, closesync.checkpoints, closesync.intents, closesync.outbox,
    closesync.partings, closesync.inbox, closesync.erased, closesync.dirty, closesync.records, closesync.connections;
DROP FUNCTION closesync.clock();
