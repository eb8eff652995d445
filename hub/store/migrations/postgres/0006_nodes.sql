-- Who is at what, where several hubs work side by side: deliveries that somebody is handing over, timers that
-- somebody runs, and the partitions that somebody makes ahead.

alter table delivery add column claimed_until bigint;

create table lease (
    name text collate "C" not null constraint lease_pk primary key,
    holder text not null,
    until bigint not null
);

-- The least id of a moment.
create function takmil_first_id(moment timestamp) returns uuid
language sql immutable strict as $$
    select (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- The partitions that are missing of so many months, from that of a moment (microseconds since 1970, UTC) on.
create function takmil_missing_partitions(start bigint, months bigint)
returns table (parent text, month timestamp)
language sql stable as $$
    select parent, month
    from generate_series(
        date_trunc('month', to_timestamp(start / 1000000) at time zone 'UTC'),
        date_trunc('month', to_timestamp(start / 1000000) at time zone 'UTC')
            + make_interval(months => months::integer - 1),
        interval '1 month'
    ) month,
    unnest(array['message', 'turn', 'payer', 'decision']) parent
    where to_regclass(parent || to_char(month, '_YYYY_MM')) is null
$$;

-- Makes one of them, and says whether it did. It is attached rather than made in place, which would stop everybody
-- who reads the table; of the default partition, which has to be looked through, hubs have no need. A month of which
-- the default partition holds rows (from before, or by a clock that was wrong) stays there: nothing is refused, and
-- nothing is moved under those who read.
create function takmil_make_partition(parent text, month timestamp) returns boolean
language plpgsql set lock_timeout = '1s' as $$
declare
    part text := parent || to_char(month, '_YYYY_MM');
begin
    -- One at a time, whichever hub it is; what another has made meanwhile is seen in a table, not in a cache.
    perform pg_advisory_xact_lock(7259);
    if exists (select from pg_tables where schemaname = current_schema() and tablename = part) then
        return false;
    end if;
    execute format('create table %I (like %I including all)', part, parent);
    execute format(
        'alter table %I attach partition %I for values from (%L) to (%L)',
        parent,
        part,
        takmil_first_id(month),
        takmil_first_id(month + interval '1 month')
    );
    return true;
exception
    when check_violation then
        return false;
end
$$;

create table message_rest partition of message default;
create table turn_rest partition of turn default;
create table payer_rest partition of payer default;
create table decision_rest partition of decision default;
