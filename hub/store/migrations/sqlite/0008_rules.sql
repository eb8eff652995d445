-- What the hub goes by beside plans and tariffs: rates of exchange, the regulator's rules on plans.

create table rule (
    kind text not null,
    id text not null,
    version integer not null,
    document text not null,
    revision integer not null,
    constraint rule_pk primary key (kind, id, version)
) strict;
create index rule_by_revision on rule (revision);
