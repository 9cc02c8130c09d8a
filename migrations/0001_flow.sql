-- The tables of the flow (DESIGN 7). One text for SQLite and PostgreSQL: natural keys, times as
-- milliseconds since 1970 in BIGINT, '' or 0 instead of NULL wherever a key could hold it.

-- Which homeserver this database belongs to; one row.
CREATE TABLE installation (
    server_name TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL
);

-- A Gitter account that the bridge posts with.
CREATE TABLE account (
    user_id TEXT PRIMARY KEY,
    username TEXT NOT NULL,
    seen_at BIGINT NOT NULL
);

-- A Gitter room and a Matrix room joined together.
CREATE TABLE portal (
    gitter_room_id TEXT PRIMARY KEY,
    matrix_room_id TEXT NOT NULL UNIQUE,
    gitter_uri TEXT NOT NULL,
    kind TEXT NOT NULL,                  -- created | linked
    state TEXT NOT NULL,                 -- active | catching_up | paused | private | broken
    account_id TEXT NOT NULL REFERENCES account (user_id),
    virtual_users BOOLEAN NOT NULL,      -- whether the account may post for virtual users there
    since_id TEXT NOT NULL,              -- the newest Gitter message at link time; older ones do not cross
    created_at BIGINT NOT NULL,
    last_bridged_at BIGINT NOT NULL DEFAULT 0
);

-- The items of one portal in one direction: strictly ordered inside, parallel to all others.
-- gitter_room_id is '' for what belongs to no portal.
CREATE TABLE lane (
    gitter_room_id TEXT NOT NULL,
    direction TEXT NOT NULL,             -- to_gitter | to_matrix
    purpose TEXT NOT NULL,               -- live | history
    next_number BIGINT NOT NULL DEFAULT 1,
    cursor TEXT NOT NULL DEFAULT '',     -- to_matrix: the newest Gitter message that is in the inbox
    next_due BIGINT NOT NULL,            -- when its head may be tried; 9223372036854775807: nothing waits
    owner TEXT NOT NULL DEFAULT '',      -- the process that works it, '' for none
    lease_until BIGINT NOT NULL DEFAULT 0,
    fence BIGINT NOT NULL DEFAULT 0,     -- raised by every claim; an older holder's writes are refused
    PRIMARY KEY (gitter_room_id, direction, purpose)
);
CREATE INDEX lane_due ON lane (next_due);

-- One thing to carry across, and, after its outcome, its line in the ledger.
CREATE TABLE inbox (
    gitter_room_id TEXT NOT NULL,
    direction TEXT NOT NULL,
    purpose TEXT NOT NULL,
    number BIGINT NOT NULL,
    source_key TEXT NOT NULL,            -- what makes a repeat a repeat
    source_id TEXT NOT NULL,             -- the event or Gitter message it came from
    operation TEXT NOT NULL,             -- the event's type, or create | update | patch | remove
    body TEXT NOT NULL,                  -- raw JSON, parsed late
    source_time BIGINT NOT NULL,         -- when it was made on its side
    state TEXT NOT NULL,                 -- held | waiting | settled
    outcome TEXT NOT NULL DEFAULT '',    -- bridged | skipped | failed
    reason TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '',
    attempts BIGINT NOT NULL DEFAULT 0,
    first_attempt_at BIGINT NOT NULL DEFAULT 0,
    next_attempt_at BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    settled_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (gitter_room_id, direction, purpose, number),
    UNIQUE (direction, source_key)
);
CREATE INDEX inbox_open ON inbox (gitter_room_id, direction, purpose, number) WHERE state <> 'settled';
CREATE INDEX inbox_source ON inbox (source_id);
CREATE INDEX inbox_failed ON inbox (gitter_room_id) WHERE outcome = 'failed';

-- An action about to be sent, recorded and committed before the request leaves. An item's actions are
-- written all at once, at its first attempt, and never change.
CREATE TABLE attempt (
    gitter_room_id TEXT NOT NULL,
    direction TEXT NOT NULL,
    purpose TEXT NOT NULL,
    number BIGINT NOT NULL,
    position BIGINT NOT NULL,            -- of the action among the item's
    action TEXT NOT NULL,                -- JSON
    author TEXT NOT NULL,                -- external id of the virtual user, the account's id, or the ghost
    state TEXT NOT NULL,                 -- planned | open | unknown | done
    opened_at BIGINT NOT NULL DEFAULT 0, -- when the request was last about to leave
    tries BIGINT NOT NULL DEFAULT 0,
    result_id TEXT NOT NULL DEFAULT '',  -- what it became on the other side
    error TEXT NOT NULL DEFAULT '',      -- what the last try met
    settled_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (gitter_room_id, direction, purpose, number, position)
);
CREATE INDEX attempt_unsettled ON attempt (gitter_room_id, direction, author) WHERE state IN ('open', 'unknown');

-- The map: which event and which Gitter message are the same thing. It outlives an unlink, and holds
-- for the pair of rooms that it was made in.
CREATE TABLE message (
    gitter_room_id TEXT NOT NULL,
    matrix_room_id TEXT NOT NULL,
    gitter_message_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    part BIGINT NOT NULL,
    kind TEXT NOT NULL,                  -- create | edit | correction
    revision BIGINT NOT NULL,            -- edits: Gitter's editedAt; else 0
    origin TEXT NOT NULL,                -- gitter | matrix
    sender TEXT NOT NULL,                -- the event's sender
    author TEXT NOT NULL,                -- the Gitter user's id, or the virtual user's external id
    account_id TEXT NOT NULL,            -- whose message it is on Gitter, where it is ours; else ''
    gitter_parent_id TEXT NOT NULL,      -- '' for top-level messages
    thread_root TEXT NOT NULL,           -- the event that its Matrix thread hangs on; '' outside threads
    status BOOLEAN NOT NULL,
    sent BIGINT NOT NULL,
    v BIGINT NOT NULL,
    edited_at BIGINT NOT NULL,           -- 0: never
    PRIMARY KEY (gitter_room_id, matrix_room_id, gitter_message_id, kind, part, revision),
    UNIQUE (matrix_room_id, event_id, kind, part)
);
CREATE INDEX message_thread ON message (gitter_room_id, gitter_parent_id, sent);

-- Gitter messages known to be deleted, or about to be deleted by the bridge. Beats a later create.
CREATE TABLE deleted (
    gitter_room_id TEXT NOT NULL,
    gitter_message_id TEXT NOT NULL,
    by_bridge BOOLEAN NOT NULL,
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (gitter_room_id, gitter_message_id)
);

-- The Matrix user that stands for a Gitter user. Its id stays whatever the Gitter user is renamed to.
CREATE TABLE ghost (
    gitter_user_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL UNIQUE,
    username TEXT NOT NULL,
    display_name TEXT NOT NULL,
    avatar_url TEXT NOT NULL,            -- Gitter's, '' for none
    registered BOOLEAN NOT NULL,
    shown_name TEXT NOT NULL,            -- what its Matrix profile was last set to
    shown_avatar TEXT NOT NULL           -- the Gitter picture that its Matrix profile was last set from
);

CREATE INDEX ghost_username ON ghost (username);

-- Devices that ghosts send with, so that the homeserver remembers their transaction ids (DESIGN 3.1).
CREATE TABLE device (
    user_id TEXT PRIMARY KEY,
    device_id TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Members of portal rooms, from their membership events.
CREATE TABLE member (
    matrix_room_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    membership TEXT NOT NULL,
    display_name TEXT NOT NULL,          -- '' for none
    avatar_url TEXT NOT NULL,            -- mxc, '' for none
    PRIMARY KEY (matrix_room_id, user_id)
);

CREATE INDEX member_name ON member (matrix_room_id, display_name);

-- Pictures of Gitter users that were uploaded to Matrix.
CREATE TABLE avatar (
    source_url TEXT PRIMARY KEY,
    mxc TEXT NOT NULL,
    uploaded_at BIGINT NOT NULL
);

-- The lanes of what belongs to no portal.
INSERT INTO lane (gitter_room_id, direction, purpose, next_due) VALUES ('', 'to_gitter', 'live', 9223372036854775807);
INSERT INTO lane (gitter_room_id, direction, purpose, next_due) VALUES ('', 'to_matrix', 'live', 9223372036854775807);
