-- What members had of drugs, and of what can be done once in a life, by the messages that told of it: for the clinical
-- rules. Sealed as the messages are.

create table past (
    member uuid not null,
    message uuid not null,
    -- The last day on which a rule looks at it.
    until text collate "C" not null,
    document bytea not null,
    constraint past_pk primary key (member, message)
);
