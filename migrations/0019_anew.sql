-- When the portal last began anew, since its Gitter room had been private; 0 for never. What was edited on Gitter before
-- that does not cross.
ALTER TABLE portal ADD COLUMN anew_at BIGINT NOT NULL DEFAULT 0;
