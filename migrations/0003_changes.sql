-- What edits and deletions need to know of the past.

-- The Gitter text that the bridge posted; '' for what was written on Gitter, and once redacted.
ALTER TABLE message ADD COLUMN text TEXT NOT NULL DEFAULT '';
-- The event's m.mentions, as JSON; '' where not known.
ALTER TABLE message ADD COLUMN mentions TEXT NOT NULL DEFAULT '';
-- For edits and corrections, the event that they change; else ''.
ALTER TABLE message ADD COLUMN changes TEXT NOT NULL DEFAULT '';
CREATE INDEX message_changes ON message (matrix_room_id, changes) WHERE changes <> '';

-- Whether the account is an admin of the Gitter room.
ALTER TABLE portal ADD COLUMN gitter_admin BOOLEAN NOT NULL DEFAULT FALSE;
-- The web address of the repository that backs the Gitter room; '' for none.
ALTER TABLE portal ADD COLUMN repository TEXT NOT NULL DEFAULT '';
