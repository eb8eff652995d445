//! The form of an extract: blocks of bytes, each with its length and its sum, and what lies in them.
//!
//! An extract begins with [`MAGIC`] and [`VERSION`]. Blocks follow: what it is ([`Block`], one byte), its length and the
//! CRC-32 of both and of what it holds (32 bits each, little-endian), and what it holds: values in the form of the crate
//! `postcard`. A block of rows begins with the texts that its rows name by their places. The last block counts the rows,
//! so that an extract that was cut is found.
//!
//! The form of an enum is the place of its variant: whoever adds one puts it at the end, or counts [`VERSION`] up. A test
//! holds the bytes.

use serde::{Deserialize, Serialize};

use super::Corrupt;
use crate::bill::EncounterClass;
use crate::date::Date;
use crate::message::Kind;
use crate::party::{Sector, Sex};
use crate::plan::{Relationship, Tier};

/// The first bytes of every extract.
pub(super) const MAGIC: &[u8; 8] = b"TAKMILRX";

/// The version of the form.
pub(super) const VERSION: u16 = 2;

/// Kind, length and sum of a block.
const HEAD: usize = 9;

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// Messages.
    Rows,
    /// What insurers posted, and what was used before the period.
    Postings,
    /// The documents that decisions rest on, as JSON.
    Documents,
    /// How much there is of everything.
    End,
}

impl Block {
    fn number(self) -> u8 {
        match self {
            Block::Rows => 1,
            Block::Postings => 2,
            Block::Documents => 3,
            Block::End => 4,
        }
    }

    fn of_number(number: u8) -> Option<Block> {
        let all = [Block::Rows, Block::Postings, Block::Documents, Block::End];
        all.into_iter().find(|block| block.number() == number)
    }
}

/// Writes a block.
pub(super) fn write_block(out: &mut Vec<u8>, block: Block, payload: &[u8]) -> Option<()> {
    let length = u32::try_from(payload.len()).ok()?.to_le_bytes();
    let kind = [block.number()];
    out.extend(kind);
    out.extend(length);
    out.extend(sum(kind, length, payload).to_le_bytes());
    out.extend(payload);
    Some(())
}

fn sum(kind: [u8; 1], length: [u8; 4], payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&kind);
    sum.update(&length);
    sum.update(payload);
    sum.finalize()
}

/// Reads the block at `at`: what it is, what it holds, and where the next one begins.
pub(super) fn read_block(bytes: &[u8], at: usize) -> Result<(Block, &[u8], usize), Corrupt> {
    let cut = || Corrupt::new(at, "it ends in the middle of a block");
    let (head, rest) = bytes
        .get(at..)
        .and_then(|rest| rest.split_first_chunk::<HEAD>())
        .ok_or_else(cut)?;
    let [kind, l0, l1, l2, l3, s0, s1, s2, s3] = *head;
    let length = [l0, l1, l2, l3];
    let size = usize::try_from(u32::from_le_bytes(length)).map_err(|_| cut())?;
    let payload = rest.get(..size).ok_or_else(cut)?;
    if sum([kind], length, payload) != u32::from_le_bytes([s0, s1, s2, s3]) {
        return Err(Corrupt::new(at, "the sum of a block is wrong"));
    }
    let block = Block::of_number(kind);
    let block = block.ok_or_else(|| Corrupt::new(at, "a block is of no known kind"))?;
    Ok((block, payload, at + HEAD + size))
}

/// How a block of rows begins: how many follow, and the texts that they name by their places.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct RowsHead<'a> {
    pub(super) rows: u32,
    #[serde(borrow)]
    pub(super) names: Vec<&'a str>,
    #[serde(borrow)]
    pub(super) quantities: Vec<&'a str>,
}

/// A message. Texts are places in the block's names, documents places in the extract's, days as [`day_number`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row<'a> {
    #[serde(borrow)]
    pub(super) id: &'a [u8],
    pub(super) kind: Kind,
    pub(super) at: i64,
    pub(super) day: u32,
    pub(super) member: u32,
    pub(super) birth: Option<u32>,
    pub(super) sex: Option<Sex>,
    pub(super) visit: u64,
    pub(super) class: Option<EncounterClass>,
    pub(super) sector: Option<Sector>,
    pub(super) accident: bool,
    pub(super) asks_leave: bool,
    pub(super) currency: u32,
    pub(super) exchange: Option<u32>,
    pub(super) diagnoses: Vec<(u32, u32)>,
    /// Base plan and tariff.
    pub(super) base: Option<(u32, u32)>,
    pub(super) covers: Vec<CoverRow>,
    pub(super) lines: Vec<LineRow>,
    pub(super) recorded: Option<Vec<RecordedRow>>,
    /// A [`ClinicalRow`] where the message has one: read by those alone who look at it.
    #[serde(borrow)]
    pub(super) clinical: &'a [u8],
}

/// What the clinical rules look at. Senders are told apart by their numbers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ClinicalRow {
    pub(super) sender: u32,
    pub(super) stays: bool,
    pub(super) order: OrderRow,
    pub(super) diagnoses: Vec<DiagnosisRow>,
    pub(super) lines: Vec<OrderedRow>,
    pub(super) procedures: Vec<(u32, u32, u32)>,
}

/// The days of a prescription: written, first, last.
pub(super) type OrderRow = (Option<u32>, Option<u32>, Option<u32>);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DiagnosisRow {
    pub(super) code: u32,
    pub(super) own: bool,
    pub(super) day: u32,
    pub(super) line: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OrderedRow {
    pub(super) seq: u32,
    pub(super) system: u32,
    pub(super) code: u32,
    pub(super) day: u32,
    pub(super) days: u32,
    pub(super) quantity: u32,
    pub(super) days_supply: Option<u32>,
    /// How much each time, how many times, in how many days.
    pub(super) dose: Option<(u32, u32, u32)>,
    pub(super) ingredients: Vec<u32>,
    pub(super) order: OrderRow,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CoverRow {
    pub(super) account: u32,
    pub(super) plan: u32,
    pub(super) tariff: Option<u32>,
    pub(super) contract: Option<u32>,
    pub(super) relationship: Relationship,
    pub(super) start: u32,
    pub(super) end: Option<u32>,
    pub(super) suspended: bool,
    pub(super) prior_cover: bool,
    pub(super) group_size: Option<u32>,
    pub(super) said: Said,
    pub(super) refused: Vec<u32>,
}

/// What an insurer has said to the bill.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Said {
    Nothing,
    Approved,
    Refused,
    Adjusted(Vec<(u32, i64)>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LineRow {
    pub(super) seq: u32,
    pub(super) system: u32,
    pub(super) code: u32,
    pub(super) day: u32,
    pub(super) quantity: u32,
    pub(super) billed: Option<i64>,
    pub(super) base_paid: Option<i64>,
    pub(super) subsidy: i64,
    /// For each cover: 0 outside the network, else one more than the tier.
    pub(super) network: Vec<u16>,
    pub(super) bilateral: bool,
    pub(super) substitution_refused: bool,
    pub(super) reference_price: Option<i64>,
    /// Units and money.
    pub(super) authorised: Vec<Option<(Option<u32>, Option<i64>)>>,
    pub(super) circumstance: Option<u32>,
}

/// The shares of a line as they were decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RecordedRow {
    pub(super) seq: u32,
    pub(super) billed: i64,
    pub(super) base: i64,
    pub(super) written_off: i64,
    pub(super) member: i64,
    /// What each supplementary insurer pays, in the order of the covers.
    pub(super) paid: Vec<i64>,
}

/// Something posted to a limit, or all that was used of it before the period.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PostingRow<'a> {
    pub(super) at: i64,
    pub(super) account: u32,
    pub(super) member: Option<u32>,
    pub(super) insurer: &'a str,
    pub(super) code: &'a str,
    pub(super) stretch: &'a str,
    pub(super) used: i64,
    pub(super) room: i64,
}

/// The last block.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) rows: u64,
    pub(super) postings: u64,
    pub(super) members: u32,
    pub(super) accounts: u32,
}

/// A day as a number that grows with it: its year, month and day in bits.
pub(super) fn day_number(date: Date) -> u32 {
    let (year, month, day) = date.ymd_in(crate::date::Calendar::Gregorian);
    let year = u32::try_from(year).unwrap_or(0);
    (year << 9) | (u32::from(month) << 5) | u32::from(day)
}

/// The day of a number.
pub(super) fn day_of(number: u32) -> Option<Date> {
    let year = i32::try_from(number >> 9).ok()?;
    let month = u8::try_from((number >> 5) & 15).ok()?;
    let day = u8::try_from(number & 31).ok()?;
    Date::from_ymd(year, month, day)
}

pub(super) fn tier_number(tier: Tier) -> u16 {
    match tier {
        Tier::Outside => 0,
        Tier::Inside(tier) => 1 + u16::from(tier),
    }
}

pub(super) fn tier_of(number: u16) -> Option<Tier> {
    match number.checked_sub(1) {
        None => Some(Tier::Outside),
        Some(tier) => u8::try_from(tier).ok().map(Tier::Inside),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn days_and_tiers_come_back() {
        for text in ["0001-01-01", "1953-12-31", "2024-02-29", "9999-12-31"] {
            let day = Date::parse(text).unwrap();
            assert_eq!(day_of(day_number(day)), Some(day), "{text}");
        }
        assert_eq!(day_of(0), None, "there is no month 0");
        for tier in [
            Tier::Outside,
            Tier::Inside(0),
            Tier::FIRST,
            Tier::Inside(255),
        ] {
            assert_eq!(tier_of(tier_number(tier)), Some(tier));
        }
        assert_eq!(tier_of(257), None);
    }

    #[test]
    fn a_block_comes_back_and_any_broken_one_is_found_where_it_begins() {
        let mut out = vec![0; 3];
        write_block(&mut out, Block::Postings, b"held").unwrap();
        let (block, payload, next) = read_block(&out, 3).unwrap();
        assert_eq!(
            (block, payload, next),
            (Block::Postings, &b"held"[..], out.len())
        );
        for at in 3..out.len() {
            assert_eq!(read_block(&out[..at], 3).unwrap_err().at, 3, "cut at {at}");
            for bit in 0..8 {
                let mut broken = out.clone();
                broken[at] ^= 1 << bit;
                assert_eq!(
                    read_block(&broken, 3).unwrap_err().at,
                    3,
                    "bit {bit} of {at}"
                );
            }
        }
    }
}
