-- Portals that have ended, and whose Matrix rooms, aliases and Spaces may still say otherwise (bridge::leave).
CREATE TABLE leaving (
    gitter_room_id TEXT NOT NULL,
    matrix_room_id TEXT NOT NULL,
    gitter_uri TEXT NOT NULL,
    cause TEXT NOT NULL,                 -- unlinked | replaced | gone
    ghosts TEXT NOT NULL,                -- who is to leave the room, with spaces in between
    noted_at BIGINT NOT NULL,
    PRIMARY KEY (gitter_room_id, matrix_room_id)
);
