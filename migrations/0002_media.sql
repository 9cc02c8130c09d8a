-- What signed links lead to (docs/media.md). A link names the id; the state here decides whether it works.
CREATE TABLE media (
    id TEXT PRIMARY KEY,                 -- random
    purpose TEXT NOT NULL,               -- media | thumbnail | avatar | fulltext
    gitter_room_id TEXT NOT NULL,        -- the portal's; '' for avatars
    matrix_room_id TEXT NOT NULL,        -- '' for avatars
    owner TEXT NOT NULL,                 -- the event; for avatars the user
    mxc TEXT NOT NULL,                   -- '' for full texts
    file_name TEXT NOT NULL,
    content_type TEXT NOT NULL,          -- as the sender said; '' for unknown
    encryption TEXT NOT NULL,            -- keys of an encrypted file (JSON); '' for others
    body TEXT NOT NULL,                  -- a full text; '' for others
    state TEXT NOT NULL,                 -- live | suspended | revoked
    created_at BIGINT NOT NULL,
    UNIQUE (purpose, matrix_room_id, owner, mxc)
);
CREATE INDEX media_room ON media (gitter_room_id);
CREATE INDEX media_event ON media (matrix_room_id, owner);

-- Gitter uploads that were uploaded to Matrix, so that each is once.
CREATE TABLE upload (
    source_url TEXT PRIMARY KEY,
    mxc TEXT NOT NULL,
    content TEXT NOT NULL,               -- what a message needs beside the name (JSON)
    uploaded_at BIGINT NOT NULL
);
