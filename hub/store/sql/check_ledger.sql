-- Every limit with a sum that its entries, or the reservations, do not bear out.
with moved as (
    select
        account,
        standing,
        cast(sum(case when kind = 'ceiling' then amount else 0 end) as bigint) as ceiling,
        cast(sum(case
            when kind in ('consume', 'opening', 'off_hub') then amount
            when kind = 'reverse' then -amount
            else 0 end) as bigint) as consumed,
        cast(sum(case
            when kind = 'reserve' then amount
            when kind = 'release' then -amount
            else 0 end) as bigint) as reserved,
        cast(sum(case when kind = 'override' then amount else 0 end) as bigint) as overdraft
    from ledger
    group by account, standing
),
held as (
    -- What a closed reservation still holds is held by nobody.
    select
        p.account,
        p.standing,
        cast(sum(p.open) as bigint) as open
    from reservation_part p
    join reservation r on r.message = p.reservation
    where r.state = 'open'
    group by p.account, p.standing
),
derived as (
    select
        s.account, s.member, s.insurer, s.code, s.stretch,
        s.ceiling, s.consumed, s.reserved, s.overdraft,
        s.first_ceiling + coalesce(m.ceiling, 0) as derived_ceiling,
        coalesce(m.consumed, 0) as derived_consumed,
        coalesce(m.reserved, 0) as derived_reserved,
        coalesce(m.overdraft, 0) as derived_overdraft,
        coalesce(h.open, 0) as held
    from standing s
    left join moved m on m.account = s.account and m.standing = s.id
    left join held h on h.account = s.account and h.standing = s.id
)
select *
from derived
where ceiling <> derived_ceiling
    or consumed <> derived_consumed
    or reserved <> derived_reserved
    or overdraft <> derived_overdraft
    or reserved <> held
order by account, insurer, code, stretch
