-- An account that must not send for now, and why; 0 and '' for one that may.
ALTER TABLE account ADD COLUMN paused_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN pause_reason TEXT NOT NULL DEFAULT '';

-- What was posted on Gitter and answered as stored, and was not heard of since on the realtime channel.
CREATE TABLE awaited_echo (
    gitter_room_id TEXT NOT NULL,
    gitter_message_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    posted_at BIGINT NOT NULL,
    PRIMARY KEY (gitter_room_id, gitter_message_id)
);
CREATE INDEX awaited_echo_posted ON awaited_echo (posted_at);
