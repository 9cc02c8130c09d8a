-- The Gitter user name that a ghost's Matrix profile was last set from.

ALTER TABLE ghost ADD COLUMN shown_username TEXT NOT NULL DEFAULT '';
