-- Who did what and when, written in the transaction of the change. `at` is the installation's time.
CREATE TABLE audit_entries (
  id text PRIMARY KEY,
  actor_kind text NOT NULL,
  actor text NOT NULL,
  action text NOT NULL,
  subject text NOT NULL,
  merchant_id text,
  order_id text,
  request_id text,
  detail jsonb NOT NULL DEFAULT '{}',
  at timestamptz NOT NULL,
  at_real timestamptz NOT NULL
);
CREATE INDEX audit_entries_of_order ON audit_entries (order_id) WHERE order_id IS NOT NULL;

-- Every call to a provider, without query, headers and bodies, ids in its path cut to their last four characters.
CREATE TABLE provider_calls (
  id text PRIMARY KEY,
  account_id text NOT NULL,
  order_id text,
  operation_id text,
  method text NOT NULL,
  host text NOT NULL,
  path text NOT NULL,
  status integer,
  fault text,
  milliseconds integer NOT NULL,
  at timestamptz NOT NULL,
  at_real timestamptz NOT NULL
);
CREATE INDEX provider_calls_of_order ON provider_calls (order_id) WHERE order_id IS NOT NULL;

-- What is evidence can't be changed afterwards. Whom that holds, and whom it can't, is said in 0010.
CREATE FUNCTION refuse_change() RETURNS trigger AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END;
$$ LANGUAGE plpgsql;

-- But for the words of an event, which may name a person who has a right to be erased: only within a transaction that
-- says so, and never its kind, amount, status or time.
CREATE FUNCTION refuse_change_but_erasure() RETURNS trigger AS $$
BEGIN
  IF coalesce(current_setting('paymux.erasing', true), '') <> 'on'
     OR to_jsonb(NEW) - 'detail' IS DISTINCT FROM to_jsonb(OLD) - 'detail' THEN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON order_events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_but_erasure BEFORE UPDATE ON order_events
  FOR EACH ROW EXECUTE FUNCTION refuse_change_but_erasure();
