-- The newest event that crossed, for the bot's read receipts: most items of a lane may be the ghosts' own echoes.
CREATE INDEX inbox_bridged ON inbox (gitter_room_id, direction, purpose, number) WHERE outcome = 'bridged';
