-- What crossed in a span of time: looked for by the sweep for deletions.
CREATE INDEX message_sent ON message (gitter_room_id, matrix_room_id, sent);
