-- What waits together is sent together (DESIGN 3.3).

-- The event that an event edits or redacts; '' for others, and for those accepted before.
ALTER TABLE inbox ADD COLUMN target TEXT NOT NULL DEFAULT '';
-- The number of the item of the same lane that an edit went out with; 0 for none.
ALTER TABLE inbox ADD COLUMN folded_into BIGINT NOT NULL DEFAULT 0;
CREATE INDEX inbox_target ON inbox (target) WHERE target <> '';
CREATE INDEX inbox_folded ON inbox (folded_into, gitter_room_id) WHERE folded_into <> 0;
