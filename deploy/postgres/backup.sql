-- The role by which base backups are taken: it may replicate, and read no row. Run once, as superuser, on the leader:
--
--   psql -v ON_ERROR_STOP=1 -v password="$(cat /run/secrets/takmil-backup-password)" -f backup.sql
--
-- Running it again is harmless; with another password it changes the password.

\set QUIET on
set client_min_messages = warning;
-- The password's digest is made on the server: keep the statement out of its log.
set log_statement = 'none';
set log_min_duration_statement = -1;

select 'create role takmil_backup login' where not exists (select from pg_roles where rolname = 'takmil_backup') \gexec
alter role takmil_backup replication nosuperuser nocreatedb nocreaterole connection limit 4;
alter role takmil_backup password :'password';
