-- Aliases that a process of the bridge asks the homeserver for. The homeserver asks back, any of the processes, as if
-- somebody wanted to join.
CREATE TABLE alias_asked (
    alias TEXT NOT NULL PRIMARY KEY,
    askers BIGINT NOT NULL,
    asked_at BIGINT NOT NULL
);
