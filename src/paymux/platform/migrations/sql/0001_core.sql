-- Every column named *_sealed is encrypted under the key ring (K3). Times are the installation's clock
-- unless the name says real. Amounts are numeric in major units.

CREATE TABLE installation (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  mode text NOT NULL CHECK (mode IN ('sandbox', 'live')),
  clock_offset interval NOT NULL DEFAULT '0',
  worker_seen_real timestamptz
);

CREATE TABLE signing_keys (
  kid text PRIMARY KEY,
  private_sealed bytea NOT NULL,
  public_jwk jsonb NOT NULL,
  created_real timestamptz NOT NULL DEFAULT now(),
  retired_real timestamptz
);

CREATE TABLE merchants (
  id text PRIMARY KEY,
  name text NOT NULL,
  client_id text NOT NULL UNIQUE,
  redirect_url text,
  webhook_url text,
  raw_provider_response boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL
);

-- kind client: a keyed hash, never readable again; kinds payment and webhook: sealed.
CREATE TABLE merchant_secrets (
  id text PRIMARY KEY,
  merchant_id text NOT NULL REFERENCES merchants,
  kind text NOT NULL CHECK (kind IN ('client', 'payment', 'webhook')),
  secret_hash text,
  secret_sealed bytea,
  created_real timestamptz NOT NULL DEFAULT now(),
  valid_until_real timestamptz,
  CHECK ((kind = 'client') = (secret_hash IS NOT NULL)),
  CHECK ((kind = 'client') = (secret_sealed IS NULL))
);
CREATE INDEX merchant_secrets_of ON merchant_secrets (merchant_id, kind);

CREATE TABLE channels (
  merchant_id text NOT NULL REFERENCES merchants,
  alias text NOT NULL,
  name text NOT NULL,
  PRIMARY KEY (merchant_id, alias)
);

-- channel '' is the default channel.
CREATE TABLE provider_accounts (
  id text PRIMARY KEY,
  merchant_id text NOT NULL REFERENCES merchants,
  channel text NOT NULL DEFAULT '',
  code text NOT NULL,
  environment text NOT NULL CHECK (environment IN ('sandbox', 'test', 'live')),
  credentials_sealed bytea NOT NULL,
  event_key text NOT NULL UNIQUE,
  min_amount numeric(20, 4),
  max_amount numeric(20, 4),
  priority integer NOT NULL DEFAULT 100,
  active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL,
  UNIQUE (merchant_id, channel, code)
);

CREATE TABLE orders (
  id text PRIMARY KEY,
  merchant_id text NOT NULL REFERENCES merchants,
  account_id text NOT NULL REFERENCES provider_accounts,
  reference text NOT NULL,
  code text NOT NULL,
  connector text NOT NULL,
  provider_reference text NOT NULL,
  order_token text NOT NULL UNIQUE,
  transaction_reference text NOT NULL,
  status text NOT NULL,
  amount numeric(20, 4) NOT NULL,
  currency text NOT NULL,
  country text NOT NULL,
  locale text NOT NULL,
  auto_capture boolean NOT NULL,
  get_token boolean NOT NULL,
  surcharge numeric(20, 4) NOT NULL DEFAULT 0,
  request_sealed bytea NOT NULL,
  channel text NOT NULL DEFAULT '',
  session_id text,
  partner_reference text,
  partner_configuration jsonb,
  redirect_url text,
  callback_url text,
  cancellation_timeout integer,
  checkout_session_timeout integer,
  session text,
  payment_id text,
  connector_state jsonb NOT NULL DEFAULT '{}',
  checkout_url text,
  checkout_form jsonb,
  checkout_expires_at timestamptz,
  completed_at timestamptz,
  approval_seen boolean NOT NULL DEFAULT false,
  authorised numeric(20, 4),
  captured numeric(20, 4) NOT NULL DEFAULT 0,
  voided numeric(20, 4) NOT NULL DEFAULT 0,
  expired numeric(20, 4) NOT NULL DEFAULT 0,
  refunded numeric(20, 4) NOT NULL DEFAULT 0,
  authorised_until timestamptz,
  paid_seen boolean NOT NULL DEFAULT false,
  failure_reason text,
  reject_reason text,
  cancelled_by text,
  needs_review text,
  token_id text,
  token_failure text,
  raw_sealed bytea,
  sequence integer NOT NULL DEFAULT 0,
  polls integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  UNIQUE (merchant_id, reference),
  CHECK (captured >= 0 AND voided >= 0 AND expired >= 0 AND refunded >= 0),
  CHECK (captured + voided + expired <= coalesce(authorised, 0)),
  CHECK (refunded <= captured)
);
CREATE INDEX orders_by_session ON orders (account_id, session);
CREATE INDEX orders_by_payment ON orders (account_id, payment_id);
CREATE INDEX orders_by_provider_reference ON orders (account_id, provider_reference);
CREATE INDEX orders_to_review ON orders (merchant_id) WHERE needs_review IS NOT NULL;

-- Append-only: what happened to an order, in order. Amounts on the order are derived from these (design 5).
CREATE TABLE order_events (
  id text PRIMARY KEY,
  order_id text NOT NULL REFERENCES orders,
  number integer NOT NULL,
  kind text NOT NULL,
  status text NOT NULL,
  amount numeric(20, 4),
  operation_id text,
  source text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}',
  at timestamptz NOT NULL,
  UNIQUE (order_id, number)
);

-- A claim: committed before the call it stands for leaves (design 1). `calls` counts calls that may have left.
CREATE TABLE operations (
  id text PRIMARY KEY,
  order_id text NOT NULL REFERENCES orders,
  kind text NOT NULL CHECK (kind IN ('create', 'confirm', 'charge_token', 'capture', 'void', 'refund', 'chargeback')),
  reference text NOT NULL,
  request_hash text NOT NULL DEFAULT '',
  key text NOT NULL,
  amount numeric(20, 4),
  -- another currency than the order's: money that came by mistake and goes back (T1), counted in no total
  currency text,
  description text NOT NULL DEFAULT '',
  status text NOT NULL CHECK (status IN ('PENDING', 'SUCCESSFUL', 'FAILED')),
  initiator text NOT NULL CHECK (initiator IN ('MERCHANT', 'SYSTEM', 'PROVIDER')),
  provider_id text,
  failure_code text,
  failure_reason text,
  failure_status integer,
  calls integer NOT NULL DEFAULT 0,
  asks integer NOT NULL DEFAULT 0,
  holder text,
  lease_until_real timestamptz,
  needs_review boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  UNIQUE (order_id, kind, reference)
);
CREATE UNIQUE INDEX operations_by_provider_id ON operations (order_id, kind, provider_id) WHERE initiator = 'PROVIDER';

-- What is due for an order and when; a queued job wakes it (every non-final state has one).
CREATE TABLE timers (
  order_id text NOT NULL REFERENCES orders,
  what text NOT NULL,
  subject text NOT NULL DEFAULT '',
  due_at timestamptz NOT NULL,
  PRIMARY KEY (order_id, what, subject)
);

CREATE TABLE idempotency_keys (
  merchant_id text NOT NULL REFERENCES merchants,
  key text NOT NULL,
  body_hash text NOT NULL,
  order_id text,
  status integer,
  answer_sealed bytea,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (merchant_id, key)
);

CREATE TABLE payment_tokens (
  id text PRIMARY KEY,
  merchant_id text NOT NULL REFERENCES merchants,
  account_id text NOT NULL REFERENCES provider_accounts,
  order_id text NOT NULL REFERENCES orders,
  token_hash text NOT NULL UNIQUE,
  token_sealed bytea NOT NULL,
  hint text NOT NULL,
  provider_token_sealed bytea NOT NULL,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz NOT NULL
);

CREATE TABLE provider_events (
  id text PRIMARY KEY,
  account_id text NOT NULL REFERENCES provider_accounts,
  event_id text NOT NULL,
  method text NOT NULL,
  request_sealed bytea NOT NULL,
  verdict text NOT NULL CHECK (verdict IN ('accepted', 'forged')),
  state text NOT NULL CHECK (state IN ('stored', 'decided', 'unmatched', 'ignored')),
  order_id text,
  fault text,
  received_at timestamptz NOT NULL,
  UNIQUE (account_id, event_id)
);
CREATE INDEX provider_events_unmatched ON provider_events (account_id) WHERE state = 'unmatched';

-- The outbox: body fixed at decision; a delivery per endpoint; an attempt per try.
CREATE TABLE outbox_events (
  id text PRIMARY KEY,
  merchant_id text NOT NULL REFERENCES merchants,
  order_id text NOT NULL REFERENCES orders,
  event text NOT NULL,
  sequence integer NOT NULL,
  body_sealed bytea NOT NULL,
  token_id text,
  occurred_at timestamptz NOT NULL,
  UNIQUE (order_id, sequence)
);

CREATE TABLE deliveries (
  id text PRIMARY KEY,
  event_id text NOT NULL REFERENCES outbox_events,
  merchant_id text NOT NULL REFERENCES merchants,
  url text NOT NULL,
  state text NOT NULL CHECK (state IN ('waiting', 'delivered', 'exhausted')),
  attempts integer NOT NULL DEFAULT 0,
  next_at timestamptz,
  delivered_at timestamptz,
  UNIQUE (event_id, url)
);
CREATE INDEX deliveries_of ON deliveries (merchant_id, state);

CREATE TABLE delivery_attempts (
  delivery_id text NOT NULL REFERENCES deliveries,
  number integer NOT NULL,
  status integer,
  fault text,
  started_real timestamptz NOT NULL,
  milliseconds integer NOT NULL,
  PRIMARY KEY (delivery_id, number)
);
