//! Why an answer is what it is: one named reason each, with a stable public code and one meaning.
//!
//! A reason is an answer to a well-formed message. What is wrong with a body is a
//! [`crate::problem::ProblemCode`].

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

macro_rules! reasons {
    ($($variant:ident $code:literal $refuses:literal $meaning:literal)+) => {
        /// The reasons that an answer can give.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $(#[doc = $meaning] $variant,)+ }

        impl Reason {
            /// Every reason, for the published list.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)+];

            /// The stable public code.
            pub fn code(self) -> &'static str {
                match self { $(Reason::$variant => $code,)+ }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Reason::$variant => $meaning,)+ }
            }

            /// Whether an insurer that gives it for a line pays nothing for that line.
            pub fn refuses(self) -> bool {
                match self { $(Reason::$variant => $refuses,)+ }
            }

            /// Reads a public code.
            pub fn parse(code: &str) -> Option<Reason> {
                match code { $($code => Some(Reason::$variant),)+ _ => None }
            }
        }
    };
}

reasons! {
    MemberUnknown "COV-MEMBER" true "The member could not be recognised, so no cover was applied."
    MemberAmbiguous "COV-AMBIGUOUS" true "More than one known member fits, so no cover was applied."
    NoCover "COV-NONE" true "The member has no supplementary cover known to the hub."
    CoverInactive "COV-INACTIVE" true "The cover does not reach to the service date."
    CoverSuspended "COV-SUSPENDED" true "The cover is suspended."
    AgedOut "COV-AGE" true "The member has passed the age to which this relation is covered."
    NoBenefit "BEN-NONE" true "The plan has no benefit for this service."
    Excluded "BEN-EXCLUDED" true "The plan excludes this service."
    ClinicallyRefused "BEN-CLINICAL" true "A clinical rule speaks against this service, and the plan refuses what it finds."
    Waiting "BEN-WAITING" true "The waiting period of the benefit has not passed."
    AgeOutside "BEN-AGE" true "The benefit is for another age."
    SexOutside "BEN-SEX" true "The benefit is for the other sex."
    DiagnosisOutside "BEN-DIAGNOSIS" true "The benefit is for other diagnoses."
    CareOutside "BEN-CARE" true "The benefit is for another kind of care."
    OutsideNetwork "NET-OUTSIDE" true "The plan does not pay for this service at this provider."
    AuthorisationMissing "AUTH-MISSING" true "The benefit needs a pre-authorisation, and there is none."
    AuthorisationPended "AUTH-PENDED" false "The benefit needs a pre-authorisation: the line waits for the insurer."
    AuthorisationPenalty "AUTH-PENALTY" false "There is no pre-authorisation, so the member's rate is higher."
    AuthorisationGone "AUTH-GONE" false "The pre-authorisation that is named has expired, was taken back, or is used up."
    AuthorisedAmount "AUTH-AMOUNT" false "The pre-authorisation covers less than what is billed."
    QuantityCapped "QTY-CAPPED" false "Only part of the quantity is covered."
    QuantityUsed "QTY-USED" true "Nothing of the quantity that the plan covers is left."
    OverContract "PRICE-CONTRACT" false "The price is above the contract price."
    OverTariff "PRICE-TARIFF" false "The price is above the tariff."
    OverRank "PRICE-RANK" false "Several procedures were done together, so the lesser ones are recognised in part."
    InPackage "PRICE-PACKAGE" false "The services are priced together, as one."
    OverReference "PRICE-REFERENCE" false "The price is above the reference price of the generic group."
    NoPrice "PRICE-UNKNOWN" true "Neither the message nor a tariff names a price."
    BasePaid "BASE-PAID" false "What the base insurer pays, as the message says, or the insurer itself when it was asked."
    BaseComputed "BASE-COMPUTED" false "What the base insurer pays by its own tariff and rate."
    Subsidised "BASE-SUBSIDY" false "A government subsidy is added to the base insurer's part."
    Deductible "SHARE-DEDUCTIBLE" false "Part of the deductible is used."
    Copay "SHARE-COPAY" false "The plan's fixed copay."
    OnceCopay "SHARE-COPAY-ONCE" false "The plan's fixed copay, once for all services of a visit, a day or a year."
    LeastShare "SHARE-LEAST" false "The plan leaves at least this much to the member, once for all services of a visit, a day or a year."
    Coinsurance "SHARE-RATE" false "The member's rate of the allowed amount."
    Share "SHARE-PAID" false "What this insurer would pay before limits and other insurers."
    Rounded "SHARE-ROUNDED" false "The plan rounds what it pays."
    OutOfPocket "SHARE-OUT-OF-POCKET" false "The member's maximum is reached, so the insurer pays more."
    LimitReached "LIMIT-REACHED" false "A limit of the plan leaves less."
    Coordinated "COB-REDUCED" false "An earlier insurer has paid part of it."
    WrittenOff "PRICE-WRITTEN-OFF" false "The provider waives what is above the agreed price."
    TotalDiffers "BILL-TOTAL" false "The stated total is not the sum of the lines; the lines count."
    CurrencyDiffers "BILL-CURRENCY" true "The bill is in another currency than the plan."
    Exchanged "BILL-EXCHANGED" false "The bill is in another currency; its amounts were converted at the rate of the day."
    CodeUnmapped "CODE-UNMAPPED" false "The code is not known to the common scheme; it was kept and queued for mapping."
    NotPriced "BILL-UNPRICED" false "The message names no prices; nothing was computed."
    InsurerApproved "INS-APPROVED" false "The insurer approved the proposal."
    InsurerAdjusted "INS-ADJUSTED" false "The insurer set another amount."
    InsurerRefused "INS-REFUSED" true "The insurer refused."
    InsurerPended "INS-PENDED" false "The insurer will decide later."
    InsurerAsked "INS-ASKED" false "The insurer has a question: the message waits for the reply."
    InsurerReminded "INS-REMINDED" false "The insurer did not decide in its time, and was reminded."
    InsurerSilent "INS-SILENT" false "The insurer gave no answer in time."
    InsurerInvalid "INS-INVALID" false "The insurer's answer could not be used."
    StandIn "INS-STAND-IN" false "The hub answered in the insurer's place, within the contract."
    OverStandIn "INS-OVER-STAND-IN" false "The amount is beyond what the hub may answer in the insurer's place."
    ReservationUsed "RES-USED" false "What the admission reserved was used."
    ReservationGone "RES-GONE" false "The reservation had expired or been released; the bill was judged anew."
    Corrected "MSG-CORRECTED" false "Facts that came late changed the decision: it was made anew, and what was used of limits with it."
    NotActive "MSG-INACTIVE" false "The sender marks the message as a draft, as cancelled or as entered in error: it was kept, and has no effect."
    Cancelled "MSG-CANCELLED" false "The message was taken back."
    NothingToCancel "MSG-NOT-FOUND" true "No message of this sender fits the one to be taken back."
    NotCancellable "MSG-FINAL" true "The message can no longer be taken back."
    Appealed "MSG-APPEALED" false "The sender has appealed; what was decided stands until the insurer has looked at it again."
    AppealUpheld "MSG-APPEAL-UPHELD" false "The insurer has looked at it again, and stands by what was decided."
    AppealChanged "MSG-APPEAL-CHANGED" false "The insurer has looked at it again after an appeal: the decision was made anew."
    BaseSilent "BASE-SILENT" false "The base insurer was asked what it pays and gave no answer that can be used, so its part was computed."
    CoverDenied "COV-DENIED" true "The insurer says that the member is not covered."
    CoverByHub "COV-BY-HUB" false "The insurer was asked about the cover and gave no answer that can be used, so the cover as it was registered counts."
    InsurerRevised "INS-REVISED" false "The insurer has decided anew by a later revision of its decision."
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}
impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Reason::parse(&code).ok_or_else(|| de::Error::custom("unknown reason code"))
    }
}
