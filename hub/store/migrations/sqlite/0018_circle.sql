-- Where documents are on their way to payment, and what a claim's transfers stand in.

create index payer_of_message on payer (message, insurer);
create index transfer_of_message on transfer (message) where message is not null;

-- With how many open differences a month was closed, and what they were about.
alter table period add column differences integer not null default 0;
alter table period add column differing integer not null default 0;

-- What a claim has used of limits, as a party counts: {limit: amount}. And which limit a difference is about.
alter table figure add column limits text not null default '{}';
alter table difference add column about text;
