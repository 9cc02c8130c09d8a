-- When `serve --restored` was last said, and when the database that was restored was in use last; 0 for never.
ALTER TABLE installation ADD COLUMN restored_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE installation ADD COLUMN backup_at BIGINT NOT NULL DEFAULT 0;

-- Whether the Matrix room is still to be read back to what the backup knows.
ALTER TABLE portal ADD COLUMN look_back BOOLEAN NOT NULL DEFAULT FALSE;
