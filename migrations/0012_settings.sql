-- What was set for one portal, over the configuration.
CREATE TABLE portal_setting (
    gitter_room_id TEXT NOT NULL,
    name TEXT NOT NULL,                  -- threads | membership | notices | metadata | moderation
    value TEXT NOT NULL,
    PRIMARY KEY (gitter_room_id, name)
);
