-- A daily run over a connector's orders, page by page; connector '' stands for the day itself, which is planned once.
CREATE TABLE reconciliations (
  day date NOT NULL,
  connector text NOT NULL,
  state text NOT NULL CHECK (state IN ('planned', 'running', 'done', 'superseded')),
  page integer NOT NULL DEFAULT 0,
  after_order text NOT NULL DEFAULT '',
  since timestamptz,
  until timestamptz,
  asked integer NOT NULL DEFAULT 0,
  differing integer NOT NULL DEFAULT 0,
  unanswered integer NOT NULL DEFAULT 0,
  begun_at timestamptz NOT NULL,
  ended_at timestamptz,
  PRIMARY KEY (day, connector)
);

-- Orders that differ from what their provider says, until a later look finds them equal.
CREATE TABLE reconciliation_findings (
  order_id text PRIMARY KEY,
  connector text NOT NULL,
  differences jsonb NOT NULL,
  found_at timestamptz NOT NULL
);
