-- Every claim's sums of each insurer, beside what its transfers come to: a row for each kind of transfer, with zeros where
-- one side is missing.
select
    coalesce(d.message, t.message) as message,
    coalesce(d.insurer, t.insurer) as insurer,
    coalesce(d.provider, t.provider) as provider,
    coalesce(d.payee, t.payee) as payee,
    coalesce(d.currency, t.currency) as currency,
    coalesce(d.incurred, 0) as incurred,
    coalesce(d.noticed, 0) as noticed,
    coalesce(d.confirmed, 0) as confirmed,
    coalesce(d.disputed, 0) as disputed,
    coalesce(d.written_off, 0) as written_off,
    t.kind,
    coalesce(t.amount, 0) as amount
from due d
full join (
    select message, insurer, provider, payee, currency, kind, cast(sum(amount) as bigint) as amount
    from transfer
    where message is not null
    group by message, insurer, provider, payee, currency, kind
) t on t.message = d.message and t.insurer = d.insurer and t.provider = d.provider
    and t.payee = d.payee and t.currency = d.currency
order by 1, 2, 3, 4, 5
