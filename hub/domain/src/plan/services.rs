//! The services that a plan pays for, laid out in one row: whoever asks for several of them looks its groups up once.

use super::{Benefit, CodeGroup, Group, Plan};

/// The parts of a plan's benefits, in their order.
#[derive(Debug)]
pub struct Services<'a> {
    plan: &'a Plan,
    parts: Vec<Part<'a>>,
}

impl<'a> Services<'a> {
    /// The services of a plan.
    pub fn of(plan: &'a Plan) -> Services<'a> {
        let mut parts = Vec::with_capacity(plan.benefits.len().saturating_mul(2));
        for benefit in &plan.benefits {
            for codes in &benefit.codes {
                let group = match codes {
                    CodeGroup::Named(name) => name.of(&plan.groups),
                    _ => None,
                };
                let part = |codes| Part {
                    benefit,
                    codes,
                    group,
                    beginning: Beginning::of(codes),
                };
                match group {
                    Some(group) => parts.extend(group.codes.iter().map(part)),
                    None => parts.push(part(codes)),
                }
            }
        }
        Services { plan, parts }
    }

    /// The benefit that a service falls under: the longest matching code, the earlier benefit on a tie.
    pub fn benefit(&self, system: &str, code: &str) -> Option<&'a Benefit> {
        let begins = first_two(code);
        let fits = |part: &&Part<'_>| begins & part.beginning.known == part.beginning.bytes;
        let mut best: Option<(usize, &Benefit)> = None;
        for part in self.parts.iter().filter(fits) {
            let matched = part.codes.matches(system, code, &self.plan.groups);
            if let Some(length) = matched
                && best.is_none_or(|(longest, _)| length > longest)
                && !part.leaves_out(self.plan, system, code)
            {
                best = Some((length, part.benefit));
            }
        }
        best.map(|(_, benefit)| benefit)
    }
}

/// Codes that a benefit names, itself or as part of a group.
#[derive(Debug)]
struct Part<'a> {
    benefit: &'a Benefit,
    codes: &'a CodeGroup,
    group: Option<&'a Group>,
    /// How every code of it begins: most services are told apart by that alone.
    beginning: Beginning,
}

/// As many of two bytes as all codes of a part begin with.
#[derive(Debug, Clone, Copy)]
struct Beginning {
    bytes: u16,
    known: u16,
}

impl Beginning {
    fn of(codes: &CodeGroup) -> Beginning {
        let (first, last) = match codes {
            CodeGroup::Prefix { prefix, .. } => (prefix.as_str(), prefix.as_str()),
            // What lies between two codes begins as both do.
            CodeGroup::Listed { codes, .. } => {
                let ends = (codes.first(), codes.last());
                (
                    ends.0.map_or("", String::as_str),
                    ends.1.map_or("", String::as_str),
                )
            }
            CodeGroup::Range { from, to, .. } => (from.as_str(), to.as_str()),
            CodeGroup::Named(_) => ("", ""),
        };
        let bytes = first_two(first);
        let differ = bytes ^ first_two(last);
        let known = match first.len().min(last.len()) {
            0 => 0,
            1 => 0xff00,
            _ => 0xffff,
        };
        let known = match differ {
            0 => known,
            1..=0xff => known & 0xff00,
            _ => 0,
        };
        Beginning {
            bytes: bytes & known,
            known,
        }
    }
}

/// The first two bytes of a code.
fn first_two(code: &str) -> u16 {
    let mut bytes = code.bytes();
    u16::from_be_bytes([bytes.next().unwrap_or(0), bytes.next().unwrap_or(0)])
}

impl Part<'_> {
    /// Whether the group has the service taken out of it.
    fn leaves_out(&self, plan: &Plan, system: &str, code: &str) -> bool {
        let except = self
            .group
            .map(|group| plan.longest(&group.except, system, code));
        except.flatten().is_some()
    }
}
