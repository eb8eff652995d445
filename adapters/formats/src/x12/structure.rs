//! Which segments a request has and in which order they need each other: no whole grammar of every guide, but what a
//! reader cannot do without. Each rule names the code of IK304 that tells it.

use rustc_hash::FxHashSet;

use super::envelope::SegmentFault;
use super::token::Segment;

/// Segments that stand in a claim, request or question of any of the versions that are read, in alphabetical order.
const KNOWN: &[&str] = &[
    "AAA", "ACT", "AMT", "BHT", "CAS", "CL1", "CLM", "CN1", "CR1", "CR2", "CR3", "CR4", "CR5",
    "CR6", "CR7", "CR8", "CRC", "CTP", "CUR", "DMG", "DN1", "DN2", "DSB", "DTP", "EQ", "FRM",
    "HCP", "HCR", "HI", "HL", "HSD", "III", "IMM", "INS", "K3", "LE", "LIN", "LQ", "LS", "LX",
    "MEA", "MIA", "MOA", "MPI", "MSG", "N2", "N3", "N4", "NM1", "NTE", "OI", "PAT", "PER", "PRV",
    "PS1", "PWK", "QTY", "REF", "SBR", "SE", "SPR", "ST", "SV1", "SV2", "SV3", "SV4", "SV5", "SV6",
    "SV7", "SVC", "SVD", "TOO", "TRN", "UM", "UR",
];

/// What is wrong with the segments of a transaction. Only those that are read are looked at.
pub(super) fn faults<'a>(segments: &[Segment<'a>]) -> Vec<SegmentFault<'a>> {
    let kind = segments.first().map_or("", |st| st.element(1));
    let mut found = Vec::new();
    if !matches!(kind, "837" | "270" | "276" | "278") {
        return found;
    }
    let last = segments.len().max(1);
    if segments.get(1).is_none_or(|segment| segment.id() != "BHT") {
        found.push(missing("BHT", 2, "a BHT follows the ST"));
    }
    let mut levels: FxHashSet<&str> = FxHashSet::default();
    let mut state = Claim::None;
    for segment in segments {
        let id = segment.id();
        let mut fault = |code, detail| {
            let number = segment.number;
            found.push(SegmentFault {
                id,
                number,
                code,
                detail,
            });
        };
        match id {
            "HL" => {
                let parent = segment.element(2);
                if !parent.is_empty() && !levels.contains(parent) {
                    fault("7", "the HL names a parent that does not stand before it");
                }
                levels.insert(segment.element(1));
                state = Claim::None;
            }
            "CLM" if levels.is_empty() => fault("7", "a CLM stands before every HL"),
            "CLM" => state = Claim::Open,
            "LX" if kind == "837" && state == Claim::None => {
                fault("7", "an LX stands before its CLM")
            }
            "LX" if kind == "837" => state = Claim::Line,
            "SV1" | "SV2" | "SV3" if kind == "837" => match state {
                Claim::Line => state = Claim::Served,
                Claim::Served => fault("5", "a line has one service"),
                _ => fault("7", "a service stands before its LX"),
            },
            "UM" | "EQ" if levels.is_empty() => fault("7", "it stands before every HL"),
            _ if KNOWN.binary_search(&id).is_err() => fault("1", "the segment is not known"),
            _ => {}
        }
    }
    let needed = match kind {
        "837" => "CLM",
        "270" => "EQ",
        "276" => "TRN",
        _ => "UM",
    };
    if !segments.iter().any(|segment| segment.id() == needed) {
        found.push(missing(needed, last, "the transaction asks for nothing"));
    }
    found
}

fn missing(id: &'static str, number: usize, detail: &'static str) -> SegmentFault<'static> {
    SegmentFault {
        id,
        number,
        code: "3",
        detail,
    }
}

/// How far into a claim the look has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    None,
    Open,
    Line,
    Served,
}
