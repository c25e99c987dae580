-- The outbox of a service, for PostgreSQL. A row is written in the transaction that does
-- what it tells of: either both are there, or neither is.
CREATE TABLE outbox (
  position    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  institution TEXT NOT NULL,
  action_id   TEXT NOT NULL UNIQUE,  -- the action's id: made once, here, and sent again as it is
  document    TEXT NOT NULL,         -- the action, as it will be sent each time; not jsonb, which writes it anew
  sent_at     TIMESTAMPTZ,           -- when the action log had taken it
  refused     TEXT                   -- why it never will
);

-- What waits is few, however long the table has become.
CREATE INDEX outbox_waiting ON outbox (position) WHERE sent_at IS NULL AND refused IS NULL;
