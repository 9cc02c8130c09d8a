-- The ghosts that have their power in a Matrix room from the bridge; it takes no other away.
CREATE TABLE given_power (
    matrix_room_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (matrix_room_id, user_id)
);
INSERT INTO given_power (matrix_room_id, user_id)
    SELECT portal.matrix_room_id, room_admin.user_id FROM room_admin
    JOIN portal ON portal.gitter_room_id = room_admin.gitter_room_id
    WHERE portal.kind = 'created';
