-- The covers of one account: who is its principal is asked for each of its dependants.

create index cover_by_account on cover (account);
