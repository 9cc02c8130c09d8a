-- What people of Matrix ask the bot for: commands, and invites. Kept for a day after it was done, so that nothing is
-- done twice and nobody asks for too much.
CREATE TABLE command (
    event_id TEXT NOT NULL PRIMARY KEY,
    matrix_room_id TEXT NOT NULL,
    user_id TEXT NOT NULL,               -- who asked
    body TEXT NOT NULL,                  -- the event; '' once it is done
    created_at BIGINT NOT NULL,
    number BIGINT NOT NULL,              -- its place among all, in the order in which they were said
    due_at BIGINT NOT NULL,              -- not before then; whoever takes it moves it on
    tries BIGINT NOT NULL DEFAULT 0,
    reply TEXT NOT NULL DEFAULT '',      -- what is to be answered, once that is known
    done BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX command_due ON command (due_at) WHERE NOT done;
CREATE INDEX command_of_user ON command (user_id, created_at);

-- Codes that an admin of a Gitter room posts there, to allow what somebody asked for on Matrix.
CREATE TABLE code (
    gitter_room_id TEXT NOT NULL,
    matrix_room_id TEXT NOT NULL,
    purpose TEXT NOT NULL,               -- link | moderation
    code TEXT NOT NULL,
    event_id TEXT NOT NULL,              -- the command that asked for it
    expires_at BIGINT NOT NULL,
    read_to TEXT NOT NULL,               -- the newest Gitter message that was looked at
    PRIMARY KEY (gitter_room_id, matrix_room_id, purpose)
);

-- Matrix people who do not want to be bridged.
CREATE TABLE opt_out (
    user_id TEXT NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL
);

-- Links of which both rooms were told.
CREATE TABLE announced_link (
    gitter_room_id TEXT NOT NULL,
    matrix_room_id TEXT NOT NULL,
    announced_at BIGINT NOT NULL,
    PRIMARY KEY (gitter_room_id, matrix_room_id)
);
