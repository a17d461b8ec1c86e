-- A merchant's own picture of a payment method, shown in place of the mark that is made; content in base64.
CREATE TABLE logos (
  merchant_id text NOT NULL REFERENCES merchants (id),
  code text NOT NULL,
  id text NOT NULL UNIQUE,
  media_type text NOT NULL,
  content text NOT NULL,
  set_at timestamptz NOT NULL,
  PRIMARY KEY (merchant_id, code)
);
