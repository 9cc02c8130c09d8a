-- The mark that this database's bridge last left with the bot on the homeserver, the one before, and when it was seen that
-- another database's bridge leaves its own there (bridge::instance).
ALTER TABLE installation ADD COLUMN mark TEXT NOT NULL DEFAULT '';
ALTER TABLE installation ADD COLUMN last_mark TEXT NOT NULL DEFAULT '';
ALTER TABLE installation ADD COLUMN marked_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE installation ADD COLUMN other_seen_at BIGINT NOT NULL DEFAULT 0;
