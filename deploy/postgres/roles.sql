-- The roles and the database of a hub, with no more rights than it needs. Run once, as superuser, on the leader:
--
--   psql -v ON_ERROR_STOP=1 -v password="$(cat /run/secrets/takmil-database-password)" -f roles.sql
--
-- Running it again is harmless; with another password it changes the password. The hub makes its own tables.

\set QUIET on
set client_min_messages = warning;
-- The password's digest is made on the server: keep the statement out of its log.
set log_statement = 'none';
set log_min_duration_statement = -1;

-- What is asked on a caller's behalf is asked in this role, bound by policies on the rows. It owns nothing and nobody
-- logs in as it. The hub would make it itself if it might make roles; so it need not.
select 'create role takmil_scoped nologin'
    where not exists (select from pg_roles where rolname = 'takmil_scoped') \gexec

-- The hub logs in as the owner of its own tables: no superuser, no roles, no databases, no replication.
select 'create role takmil login' where not exists (select from pg_roles where rolname = 'takmil') \gexec
alter role takmil nosuperuser nocreatedb nocreaterole noreplication nobypassrls connection limit 150;
alter role takmil password :'password';
grant takmil_scoped to takmil;

-- A commit that is cancelled while it waits for its standby would be reported as done.
alter role takmil set statement_timeout = 0;

-- Reads figures about the database for monitoring, and no row of the hub's.
select 'create role takmil_watcher login' where not exists (select from pg_roles where rolname = 'takmil_watcher') \gexec
grant pg_monitor to takmil_watcher;

select 'create database takmil owner takmil encoding ''UTF8'' locale ''C.UTF-8'' template template0'
    where not exists (select from pg_database where datname = 'takmil') \gexec
revoke all on database takmil from public;
grant connect on database takmil to takmil_watcher;
