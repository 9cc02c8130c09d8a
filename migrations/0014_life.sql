-- Why a portal stopped, since when, and what the bot still has to say about it in the Matrix room.
ALTER TABLE portal ADD COLUMN stopped_by TEXT NOT NULL DEFAULT '';   -- operator | private | gone | kicked | encrypted | upgraded
ALTER TABLE portal ADD COLUMN state_detail TEXT NOT NULL DEFAULT ''; -- the same, for people
ALTER TABLE portal ADD COLUMN to_tell TEXT NOT NULL DEFAULT '';
ALTER TABLE portal ADD COLUMN told_of BIGINT NOT NULL DEFAULT 0;     -- when that happened; makes it said once

-- When Gitter last said that the room is public; 0 until it does.
ALTER TABLE portal ADD COLUMN confirmed_at BIGINT NOT NULL DEFAULT 0;

-- Matrix rooms that a portal was in before they were upgraded: what is deleted there, or was said there and is deleted on
-- Gitter, still crosses.
CREATE TABLE former_room (
    matrix_room_id TEXT NOT NULL PRIMARY KEY,
    gitter_room_id TEXT NOT NULL
);
CREATE INDEX former_room_of_portal ON former_room (gitter_room_id);
