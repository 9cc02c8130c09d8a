-- Who is banned in the Gitter rooms of portals, as last seen there, so that only what changes has an effect.
CREATE TABLE gitter_ban (
    gitter_room_id TEXT NOT NULL,
    who TEXT NOT NULL,                   -- an account's id, or the external id of a virtual user
    ban TEXT NOT NULL,                   -- as Gitter lists it (JSON)
    PRIMARY KEY (gitter_room_id, who)
);
