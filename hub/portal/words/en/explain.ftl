### What a member reads about a decision, in English. Polite, plain, and in the second person.
### A message named by a reason's code tells it in general; `told` tells it with the figures of a step; `part` names a
### part of what the member pays, and completes "You pay …:".

## Numbers, amounts and days

money = { $amount } { $currency }
money-IRR = { $amount } { $count ->
    [one] rial
   *[other] rials
}
money-YER = { $amount } { $count ->
    [one] Yemeni rial
   *[other] Yemeni rials
}
money-MAD = { $amount } { $count ->
    [one] dirham
   *[other] dirhams
}
money-MZN = { $amount } { $count ->
    [one] metical
   *[other] meticais
}
percent = { $number }%
date = { $day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
} { $year }
comma = { ", " }
then = { ", " }
and = { $before } and { $last }

## Who pays

your-insurer = your supplementary insurer
summary = Of this bill of { $billed }, { $payers }.
line-shares = Of { $billed }, { $payers }.
base-pays = your base insurer pays { $amount }
insurer-pays = { $insurer } pays { $amount }
insurer-pays-nothing = { $insurer } pays nothing
provider-waives = the provider waives { $amount }
you-pay = you pay { $amount }
you-pay-nothing = you pay nothing
line = Line { $number }

total-billed = The bill: { $amount }
total-allowed = Recognised by your supplementary insurance: { $amount }
total-base = Paid by your base insurer: { $amount }
total-supplementary = Paid by { $insurer }: { $amount }
total-written_off = Waived by the provider: { $amount }
total-member = Paid by you: { $amount }

member-pays-nothing = You pay nothing.
member-pays = You pay { $amount }: { $part }.
member-pays-sum = You pay { $amount } in all: { $parts }.
member-part = { $amount } ({ $part })
part-other = what your insurance does not cover

## What is left

left-money = “{ $limit }” of { $insurer }: { $after } is left of { $ceiling }; before this bill it was { $before }.
left-count = “{ $limit }” of { $insurer }: { $after ->
    [one] { $after } unit is left
   *[other] { $after } units are left
} of { $ceiling }; before this bill it was { $before }.
left-visits = “{ $limit }” of { $insurer }: { $after ->
    [one] { $after } visit is left
   *[other] { $after } visits are left
} of { $ceiling }; before this bill it was { $before }.
left-days = “{ $limit }” of { $insurer }: { $after ->
    [one] { $after } day is left
   *[other] { $after } days are left
} of { $ceiling }; before this bill it was { $before }.
left-deductible = “{ $limit }” of { $insurer }: of the first { $ceiling }, which you pay yourself, { $after } is still to come; before this bill it was { $before }.
left-out-of-pocket = “{ $limit }” of { $insurer }: of the { $ceiling } that you pay yourself at most, { $after } is still to come; before this bill it was { $before }.
reserved = What your insurance pays of this bill stays reserved for you until { $until }.

## Cover

COV-MEMBER = The insured member could not be recognised, so no supplementary insurance was applied.
    .part = the insured member was not recognised
COV-AMBIGUOUS = More than one insured member fits what the provider sent, so no supplementary insurance was applied.
    .part = it is not clear which insured member this bill is for
COV-NONE = No supplementary insurance of yours is known.
    .part = you have no supplementary insurance that is known
COV-INACTIVE = Your cover with { $insurer } was not in force on the day of this service.
    .told = { $insurer } pays nothing for this, because your cover was not in force on the day of the service.
    .part = your supplementary cover was not in force on that day
COV-SUSPENDED = Your cover with { $insurer } is suspended at present, so it pays nothing.
    .part = your supplementary cover is suspended
COV-DENIED = { $insurer } says that you are not covered, so it pays nothing.
    .part = your insurer says that you are not covered
COV-BY-HUB = { $insurer } was asked about your cover and gave no answer; the cover as it was registered counts.
COV-AGE = The insured member has passed the age up to which { $insurer } covers this family member.
    .part = the age up to which this family member is covered has passed

## Benefits

BEN-NONE = The plan of { $insurer } has no benefit for this service.
    .part = your plan has no benefit for this service
BEN-EXCLUDED = The plan of { $insurer } excludes this service.
    .part = your plan excludes this service
BEN-CLINICAL = A medical rule speaks against this service, and the plan of { $insurer } does not pay for what it finds.
    .part = a medical rule of your plan speaks against this service
BEN-WAITING = The waiting period of { $insurer } for this benefit has not passed yet.
    .told = Your cover with { $insurer } began on { $start }. The benefit “{ $benefit }” has a waiting period of { $months ->
        [one] { $months } month
       *[other] { $months } months
    }, so it opens on { $opens }; this service was before that day.
    .part = the waiting period has not passed yet
BEN-AGE = The benefit of { $insurer } is for another age.
    .told = { $ages ->
        [between] The benefit “{ $benefit }” of { $insurer } is for ages { $age_min } to { $age_max }.
        [from] The benefit “{ $benefit }” of { $insurer } begins at the age of { $age_min ->
            [one] { $age_min } year
           *[other] { $age_min } years
        }.
       *[to] The benefit “{ $benefit }” of { $insurer } ends after the age of { $age_max ->
            [one] { $age_max } year
           *[other] { $age_max } years
        }.
    }
    .part = this benefit is for another age
BEN-SEX = The benefit of { $insurer } is for the other sex alone.
    .told = The benefit “{ $benefit }” of { $insurer } is for the other sex alone.
    .part = this benefit is for the other sex
BEN-DIAGNOSIS = This benefit of { $insurer } is for other diagnoses than those on the bill.
    .told = The benefit “{ $benefit }” of { $insurer } is for other diagnoses than those on the bill.
    .part = this benefit is for other diagnoses
BEN-CARE = This benefit of { $insurer } is for another kind of care, such as a stay in hospital or outpatient care.
    .told = The benefit “{ $benefit }” of { $insurer } is for another kind of care, such as a stay in hospital or outpatient care.
    .part = this benefit is for another kind of care
NET-OUTSIDE = { $insurer } does not pay for this service at this provider, because of its place in the network.
    .told = { $insurer } does not pay for “{ $benefit }” at this provider, because of its place in the network.
    .part = your plan does not pay for this at this provider

## Pre-authorisation

AUTH-MISSING = { $insurer } pays for this only with a pre-authorisation, and there is none.
    .told = { $insurer } pays for “{ $benefit }” only with a pre-authorisation, and there is none.
    .part = there is no pre-authorisation
AUTH-PENDED = This needs a pre-authorisation: { $insurer } has still to decide, and until then the amounts may change.
AUTH-PENALTY = There is no pre-authorisation, so your own share is higher.
    .told = There is no pre-authorisation, so { $insurer } raises your own share from { $rate } to { $penalty_rate }.
AUTH-GONE = The pre-authorisation named on the bill has expired, was taken back, or is used up.
AUTH-AMOUNT = The pre-authorisation covers less than what is billed.
    .told = The pre-authorisation is for { $authorised }, so { $insurer } recognises { $after } instead of { $before }.
    .part = above what was authorised

## Quantity and price

QTY-CAPPED = Only a part of the quantity is covered.
    .told = { $insurer } covers { $covered ->
        [one] { $covered } unit
       *[other] { $covered } units
    } of { $asked }, which makes { $after } of { $before }.
    .part = the quantity beyond what is covered
QTY-USED = The quantity that { $insurer } covers is used up.
    .told = The quantity that { $insurer } covers for “{ $benefit }” is used up.
    .part = the quantity that is covered is used up
PRICE-CONTRACT = The price is above the price that the insurer and the provider have agreed.
    .told = { $insurer } and the provider have agreed on a price of { $price }{ $quantity ->
        [1] { "" }
       *[other] { " " }(quantity: { $quantity })
    }, so { $after } of { $before } is recognised.
    .part = above the agreed price
PRICE-TARIFF = The price is above the tariff.
    .told = The tariff for this service is { $price }{ $quantity ->
        [1] { "" }
       *[other] { " " }(quantity: { $quantity })
    }, so { $insurer } recognises { $after } of { $before }.
    .part = above the tariff
PRICE-RANK = Several procedures were done together, so the lesser ones are recognised in part.
    .told = Several procedures were done together, so { $insurer } recognises the price of { $price } at { $ranks }: { $after } of { $before }.
    .part = above what is recognised for procedures done together
PRICE-PACKAGE = This service is priced together with others, as one package.
    .told = This service belongs to a package with one price (line { $package } of the bill). By what was asked for each of its services, { $after } of { $before } is recognised here; other figures are those of the whole package.
    .part = your part of the package
PRICE-REFERENCE = The price is above the reference price, which is that of the equivalent generic.
    .told = The reference price of the equivalent generic is { $reference_price }{ $quantity ->
        [1] { "" }
       *[other] { " " }(quantity: { $quantity })
    }, so { $insurer } recognises { $after } of { $before }.
    .part = above the reference price of the generic
PRICE-UNKNOWN = No price is known for this service, so nothing was computed.
    .part = no price is known
PRICE-WRITTEN-OFF = The provider waives what is above the agreed price. You do not pay it.
    .told = The provider waives { $after }, which is above the agreed price. You do not pay it.

## The base insurer

BASE-PAID = Your base insurer pays its part, as the bill states it.
    .told = Your base insurer pays { $after }, { $said_by ->
        [bill] as the bill states it
       *[other] as it said itself when it was asked
    }.
BASE-COMPUTED = Your base insurer pays its part by its own tariff.
    .told = Your base insurer pays { $rate } of its tariff of { $price }{ $quantity ->
        [1] { "" }
       *[other] { " " }(quantity: { $quantity })
    }: { $after }.
BASE-SUBSIDY = A government subsidy is added to your base insurer's part.
    .told = A government subsidy of { $change } is added; with it your base insurer's part is { $after }.
BASE-SILENT = Your base insurer was asked what it pays and gave no answer that can be used, so its part was computed by its tariff.

## Your own share

SHARE-DEDUCTIBLE = The first part of your costs, the deductible, is yours to pay.
    .told = By your plan, { $change } of this counts towards your deductible, which you pay before { $insurer } pays.
    .part = your deductible
SHARE-COPAY = Your plan asks for a fixed copayment.
    .told = Your plan asks for a fixed copayment of { $change }.
    .part = your fixed copayment
SHARE-COPAY-ONCE = Your plan asks for a fixed copayment, once for all services of a visit, a day or a year.
    .told = Your plan asks for a fixed copayment of { $change }, once for all services of a visit, a day or a year.
    .part = your fixed copayment
SHARE-LEAST = Your plan leaves at least a certain amount to you, once for all services of a visit, a day or a year.
    .told = Your plan leaves at least { $least } to you, once for all services of a visit, a day or a year; so your own share is { $after } instead of { $before }.
    .part = the least that your plan leaves to you
SHARE-RATE = A percentage of the recognised amount is your own share.
    .told = By your plan, { $rate } of { $of }, that is { $change }, is your own share.
    .part = your own share
SHARE-PAID = This is what the insurer takes over before its limits are counted.
    .told = { $how ->
        [whole] { $insurer } takes over all of the recognised { $before }.
        [own] Of the recognised { $before }, { $cost_share } is your own share. { $insurer } takes over { $after }.
        [rest] Your base insurer pays { $base }. { $insurer } takes over the rest of the recognised { $before }: { $after }.
        [offset] What your base insurer pays, { $base }, counts first towards your own share of { $cost_share }. { $insurer } takes over { $after } of the recognised { $before }.
        [waive] Because your base insurer pays { $base }, { $insurer } asks no share of you. It takes over { $after } of the recognised { $before }.
       *[additive] Your base insurer pays { $base }, and { $cost_share } is your own share. { $insurer } takes over what is left of the recognised { $before }: { $after }.
    }
SHARE-ROUNDED = Your plan rounds what it pays.
    .told = { $insurer } rounds what it pays to { $to }: { $after } instead of { $before }.
    .part = what the insurer rounds off
SHARE-OUT-OF-POCKET = You have reached the most that you pay yourself, so the insurer pays more.
    .told = You have reached the most that you pay yourself (“{ $limit }”, { $left } was still to come), so { $insurer } pays { $after } instead of { $before }.

## Limits and other insurers

LIMIT-REACHED = A ceiling of your plan is reached, so the insurer pays less.
    .told = { $left } was left of your ceiling “{ $limit }”, so { $insurer } pays { $after } instead of { $before }.
    .part = above what was left of your ceiling
COB-REDUCED = Another insurer has paid a part already, so this one pays less.
    .told = Other insurers have already paid { $paid_before }, and { $open } is still open, so { $insurer } pays { $after } instead of { $before }.
    .part = what the insurers' payments do not add up to

## The bill

BILL-TOTAL = The total on the bill is not the sum of its lines. The lines count.
BILL-CURRENCY = The bill is in another currency than the plan of { $insurer }, so it pays nothing.
    .part = the bill is in another currency than your plan
BILL-EXCHANGED = The bill is in another currency; its amounts were converted at the rate of the day.
    .told = The bill is in another currency. Its amounts were converted at the rate of { $on }: { $one } is { $worth }.
BILL-UNPRICED = The bill names no prices, so nothing was computed.
CODE-UNMAPPED = A code on this bill is not known yet. It was kept and is being looked up; your bill does not wait for it.

## What the insurer said

INS-APPROVED = { $insurer } has approved this.
INS-ADJUSTED = { $insurer } has set another amount.
    .told = { $insurer } has decided to pay { $after } instead of { $before }.
    .part = what the insurer does not pay by its own decision
INS-REFUSED = { $insurer } has refused to pay.
    .told = { $insurer } has refused to pay. By the plan it would have been { $before }.
    .part = the insurer has refused to pay
INS-PENDED = { $insurer } will decide later; until then the amounts may change.
INS-ASKED = { $insurer } has asked the provider a question. The decision waits for the reply.
INS-REMINDED = { $insurer } has not decided in its time, and was reminded.
INS-SILENT = { $insurer } gave no answer in time.
INS-INVALID = The answer of { $insurer } could not be used.
INS-STAND-IN = { $insurer } could not be reached, so this answer was given in its place, as agreed with it. You can rely on it.
INS-OVER-STAND-IN = { $insurer } could not be reached, and the amount is beyond what may be answered in its place. It has still to decide.

## The message

RES-USED = What was reserved for you at admission was used.
RES-GONE = The reservation made at admission had ended, so this bill was computed anew.
MSG-CORRECTED = Facts that became known later changed this decision: it was made anew.
MSG-APPEALED = The provider has appealed against this decision. It stands until the insurer has looked at it again.
MSG-APPEAL-UPHELD = The insurer has looked at this again after an appeal, and stands by its decision.
MSG-APPEAL-CHANGED = The insurer has looked at this again after an appeal, and the decision was made anew.
MSG-INACTIVE = The provider marks this as a draft, as cancelled or as a mistake. It was kept, and has no effect.
MSG-CANCELLED = The provider has taken this back. It has no effect any more.
MSG-NOT-FOUND = What the provider wanted to take back was not found.
MSG-FINAL = This can no longer be taken back.

## What the clinical rules find.

CLIN-AGE = The diagnosis does not usually occur at your age.
CLIN-SEX = The diagnosis does not occur in persons of your sex.
CLIN-DIAGNOSIS = The diagnosis is not written with a code that is in force, or not exactly enough.
CLIN-EXCLUDES = Two of the diagnoses cannot stand side by side: one excludes the other.
CLIN-CODE-FIRST = A diagnosis stands before the illness that causes it.
CLIN-USE-ADDITIONAL = A diagnosis asks for a second one beside it, which is missing.
CLIN-INTERACTION = Two of the drugs act on each other. Ask your doctor or pharmacist before you take them together.
CLIN-INDICATION = None of the diagnoses is one for which this drug is known to be given.
CLIN-DUPLICATE = The same active ingredient comes twice, or you still have it at home in another drug.
CLIN-DOSE = The dose of a day is above the largest for this drug.
CLIN-DAYS-SUPPLY = The quantity does not fit the dose and the days that it is to last.
CLIN-UNITS = More units of this service were stated for a day than are likely.
CLIN-REFILL = You should still have enough of this drug from the last time.
CLIN-ONCE = This can be done once in a life, and was done before.
CLIN-PRESCRIPTION = The prescription is not valid on this day.
INS-REVISED = Your insurer has looked at it again by itself and decided anew; this is its later decision.
