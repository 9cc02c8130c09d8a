-- Aliases of the bridge's namespace, and the room of a portal that each leads to. The alias of a former URI stays.
CREATE TABLE room_alias (
    alias TEXT NOT NULL PRIMARY KEY,
    gitter_room_id TEXT NOT NULL,
    matrix_room_id TEXT NOT NULL
);
CREATE INDEX room_alias_of_room ON room_alias (gitter_room_id);

-- The Space that stands for a Gitter group.
CREATE TABLE space (
    gitter_group_id TEXT NOT NULL PRIMARY KEY,
    matrix_room_id TEXT NOT NULL UNIQUE,
    uri TEXT NOT NULL
);

-- The group of each portal's Gitter room.
CREATE TABLE room_group (
    gitter_room_id TEXT NOT NULL PRIMARY KEY,
    gitter_group_id TEXT NOT NULL
);

-- The ghosts of those who are admins of a portal's Gitter room.
CREATE TABLE room_admin (
    gitter_room_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (gitter_room_id, user_id)
);
