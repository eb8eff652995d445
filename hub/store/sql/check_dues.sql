-- Every claim's sums of each insurer, and after them what its transfers come to, a row for each kind: in one order, so that
-- nothing has to be looked for. What stands on one side alone is zero on the other.
select message, insurer, provider, payee, currency,
    incurred, noticed, confirmed, disputed, written_off,
    cast(null as text) as kind, cast(0 as bigint) as amount, 0 as side
from due
union all
select message, insurer, provider, payee, currency,
    0, 0, 0, 0, 0,
    kind, cast(sum(amount) as bigint), 1
from transfer
where message is not null
group by message, insurer, provider, payee, currency, kind
order by 1, 2, 3, 4, 5, 13
