-- Why a portal stopped, since when, and what the bot still has to say about it in the Matrix room.
ALTER TABLE portal ADD COLUMN stopped_by TEXT NOT NULL DEFAULT '';   -- operator | private | gone | kicked | encrypted | upgraded
ALTER TABLE portal ADD COLUMN state_detail TEXT NOT NULL DEFAULT ''; -- the same, for people
ALTER TABLE portal ADD COLUMN to_tell TEXT NOT NULL DEFAULT '';
ALTER TABLE portal ADD COLUMN told_of BIGINT NOT NULL DEFAULT 0;     -- when that happened; makes it said once

-- When Gitter last said that the room is public; 0 until it does.
ALTER TABLE portal ADD COLUMN confirmed_at BIGINT NOT NULL DEFAULT 0;
