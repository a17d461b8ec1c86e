-- An order tells that its customer was erased, so that nothing of him is kept that comes in later, and by keyed digests of
-- his addresses it is found again. A delivery that still needs an address which names him has beside it what is left of
-- that address once it is settled.
ALTER TABLE orders ADD COLUMN erased_at timestamptz, ADD COLUMN erased_as text[];
ALTER TABLE deliveries ADD COLUMN url_once_settled text;
