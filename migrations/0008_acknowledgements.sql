-- What Matrix people are told: whose message has failed, and up to where everything has crossed.

-- Whether the sender of a failed item was told, or is not to be.
ALTER TABLE inbox ADD COLUMN told BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE inbox SET told = TRUE WHERE outcome = 'failed';
CREATE INDEX inbox_untold ON inbox (direction) WHERE outcome = 'failed' AND NOT told;

-- When a person was last told in a room that something of theirs has failed.
CREATE TABLE notice (
    matrix_room_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    told_at BIGINT NOT NULL,
    PRIMARY KEY (matrix_room_id, user_id)
);

-- The event that the bot's read receipt is at; '' for none.
ALTER TABLE portal ADD COLUMN receipt TEXT NOT NULL DEFAULT '';
