-- A trigger does not fire in a session whose session_replication_role is `replica`, which a superuser may choose, and
-- whoever was granted it: he could change what is evidence, and nothing told of it. These fire there as well.
--
-- What is left is to change the schema itself: whoever owns these tables, or is a superuser, can switch a guard off, drop or
-- replace it, and put it back. Of that the database keeps no record, only the server's log does, where it is told to
-- (`log_statement = 'ddl'`); and no trigger holds who writes to the server's files.
ALTER TABLE order_events ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER append_only_but_erasure;
ALTER TABLE provider_calls ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER append_only_but_age;
ALTER TABLE audit_entries ENABLE ALWAYS TRIGGER append_only;
