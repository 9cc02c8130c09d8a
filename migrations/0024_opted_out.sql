-- From when until when people were opted out who have opted in again, by the clock of their homeserver: what they said
-- meanwhile may still wait.
CREATE TABLE opt_out_past (
    user_id TEXT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (user_id, since)
);
