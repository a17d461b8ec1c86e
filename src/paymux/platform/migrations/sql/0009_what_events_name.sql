-- What an event that has fitted no order yet names, as keyed hashes: an order that becomes known under one of these names
-- wakes it, and wakes no other. Events of before, and those that an older version keeps meanwhile, have none: time wakes them.
ALTER TABLE provider_events ADD COLUMN named text[];
