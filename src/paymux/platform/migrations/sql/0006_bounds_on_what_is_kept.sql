-- The record of calls to providers is evidence, too, and grows with every call: what is written stays as it is, and may
-- go only by age, in a transaction that says so. A setting tells how old; the database holds it to thirty days at least.
CREATE FUNCTION refuse_change_but_age() RETURNS trigger AS $$
BEGIN
  IF coalesce(current_setting('paymux.forgetting', true), '') <> 'on' OR OLD.at_real > now() - interval '30 days' THEN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN OLD;
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON provider_calls
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_but_age BEFORE DELETE ON provider_calls
  FOR EACH ROW EXECUTE FUNCTION refuse_change_but_age();

-- How far the clock is ahead, read so that it stands still until the transaction ends: whoever moves it waits for all who
-- have read it, and so brings forward every job that they enqueue (C1). Read after the lock, in a snapshot of its own.
CREATE FUNCTION read_clock() RETURNS interval AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(7296689150333);
  RETURN (SELECT clock_offset FROM installation);
END;
$$ LANGUAGE plpgsql VOLATILE;
