-- What a member's name looks like, so that look-alikes are found; '' for rows from before, until their next event.
ALTER TABLE member ADD COLUMN name_key TEXT NOT NULL DEFAULT '';
CREATE INDEX member_name_key ON member (matrix_room_id, name_key);
