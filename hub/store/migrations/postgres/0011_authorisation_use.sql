-- What bills have used of pre-authorisations, line by line. What was taken back counts no more: nothing is deleted.

create table authorisation_use (
    member uuid not null,
    number text collate "C" not null,
    insurer text collate "C" not null,
    seq bigint not null,
    message uuid not null,
    line bigint not null,
    quantity text not null,
    amount bigint not null constraint authorisation_use_amount check (amount >= 0),
    constraint authorisation_use_pk primary key (member, number, insurer, seq, message, line)
);
