-- What the status page asks: what failed last, and what became of items lately. With their outcomes the index of settled
-- items answers that by itself, without the items.
DROP INDEX inbox_settled;
CREATE INDEX inbox_failed_at ON inbox (settled_at) WHERE outcome = 'failed';
CREATE INDEX inbox_settled ON inbox (settled_at, gitter_room_id, direction, purpose, number, outcome, reason, state)
    WHERE state = 'settled' AND outcome <> 'failed';
