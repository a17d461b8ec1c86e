-- When the call was first made with the operation's key: providers keep keys for a time only, and a repeat after that is
-- another call. Operations of before have none: for them the time of their claim counts.
ALTER TABLE operations ADD COLUMN called_at timestamptz;
