-- The ledger, as operators ask it: lists in the order of places, and what became of any id of either side.
DROP INDEX inbox_failed;
CREATE INDEX inbox_failed ON inbox (gitter_room_id, direction, purpose, number) WHERE outcome = 'failed';
CREATE INDEX inbox_settled ON inbox (settled_at, gitter_room_id, direction, purpose, number)
    WHERE state = 'settled' AND outcome <> 'failed';
CREATE INDEX attempt_result ON attempt (result_id) WHERE result_id <> '';
CREATE INDEX message_event ON message (event_id);
CREATE INDEX message_gitter ON message (gitter_message_id);
