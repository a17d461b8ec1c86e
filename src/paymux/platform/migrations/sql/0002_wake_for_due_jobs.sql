-- Every open order has jobs that are due in minutes, hours or days. pgqueuer's own trigger wakes every worker whenever
-- one is written and whenever one is done, and each time the worker looks for work thrice: only to find that nothing is
-- due. What falls due by itself is found by the worker's own look at the queue, twice a second.
DROP TRIGGER tg_pgqueuer_changed ON pgqueuer;

CREATE OR REPLACE FUNCTION fn_pgqueuer_changed() RETURNS trigger AS $$
BEGIN
  IF EXISTS (SELECT FROM changed WHERE status = 'queued' AND execute_after <= now()) THEN
    PERFORM pg_notify('ch_pgqueuer', json_build_object(
      'channel', 'ch_pgqueuer', 'operation', lower(TG_OP), 'sent_at', now(), 'table', TG_TABLE_NAME,
      'type', 'table_changed_event')::text);
  END IF;
  RETURN NULL;
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER tg_pgqueuer_changed AFTER INSERT ON pgqueuer
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_pgqueuer_changed();
CREATE TRIGGER tg_pgqueuer_due_again AFTER UPDATE ON pgqueuer
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION fn_pgqueuer_changed();

-- When the next job of any kind falls due.
CREATE INDEX pgqueuer_due ON pgqueuer (execute_after) WHERE status = 'queued';
-- Ordered by age alone these lead through everything that is not due yet, the oldest of the queue.
DROP INDEX pgqueuer_ep_prio_id_idx;
DROP INDEX pgqueuer_priority_id_id1_idx;
