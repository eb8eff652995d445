-- What the hub goes by beside plans and tariffs: rates of exchange, the regulator's rules on plans.

create table rule (
    kind text collate "C" not null,
    id text collate "C" not null,
    version bigint not null,
    document text not null,
    revision bigint not null,
    constraint rule_pk primary key (kind, id, version)
);
create index rule_by_revision on rule (revision);
