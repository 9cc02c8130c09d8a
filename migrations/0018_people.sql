-- Who is to join or leave the Matrix rooms of portals, as their Gitter rooms say (bridge::people).
CREATE TABLE gitter_member (
    gitter_room_id TEXT NOT NULL,
    gitter_user_id TEXT NOT NULL,
    wanted TEXT NOT NULL,                -- join | leave
    due BIGINT NOT NULL,                 -- when that may be tried; 9223372036854775807 once it is so
    tries BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (gitter_room_id, gitter_user_id)
);
CREATE INDEX gitter_member_due ON gitter_member (due);

-- Whether a ghost's Matrix profile may be older than what is known of its Gitter user.
ALTER TABLE ghost ADD COLUMN stale BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX ghost_stale ON ghost (user_id) WHERE stale;
