-- When somebody last began to do something of what is left; 0 if nobody is at it (bridge::leave).
ALTER TABLE leaving ADD COLUMN claimed_at BIGINT NOT NULL DEFAULT 0;
