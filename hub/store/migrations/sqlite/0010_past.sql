-- What members had of drugs, and of what can be done once in a life, by the messages that told of it: for the clinical
-- rules. Sealed as the messages are.

create table past (
    member blob not null,
    message blob not null,
    -- The last day on which a rule looks at it.
    until text not null,
    document blob not null,
    constraint past_pk primary key (member, message)
) strict, without rowid;
