-- What bills have used of pre-authorisations, line by line. What was taken back counts no more: nothing is deleted.

create table authorisation_use (
    member blob not null,
    number text not null,
    insurer text not null,
    seq integer not null,
    message blob not null,
    line integer not null,
    quantity text not null,
    amount integer not null constraint authorisation_use_amount check (amount >= 0),
    constraint authorisation_use_pk primary key (member, number, insurer, seq, message, line)
) strict, without rowid;
