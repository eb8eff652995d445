//! Whether a party can be called: a circuit that opens when calls fail, and finds out by single calls whether the party
//! is back. Pure: moments and chance come from outside.
//!
//! Asking and delivering have a circuit each, for an insurer that is slow to decide may take deliveries well. Only
//! that it cannot be reached at all is said of both.

use std::collections::VecDeque;

use takmil_domain::date::Instant;

/// So many failures in a row open the circuit.
const IN_A_ROW: u32 = 5;

/// Of so many calls at most the share of failures is taken, and of so many at least.
const WINDOW: usize = 20;
const WINDOW_LEAST: usize = 10;

/// How a call ended, as far as it says something of the party.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// It answered, whatever it said to what it was given.
    Answered,
    /// It takes no calls now. Said of one call while others pass, it is about that call.
    Declined,
    /// It said nothing.
    Silent,
    /// There was nobody.
    Unreachable,
}

/// How long a closed circuit waits before it finds out, by contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probing {
    /// The first wait, in milliseconds; it doubles.
    pub(crate) first_ms: u64,
    /// The longest.
    pub(crate) most_ms: u64,
}

/// How a circuit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CircuitState {
    /// Calls go.
    Closed,
    /// No call goes.
    Open,
    /// One call is on the way, by which it is found out whether others may follow.
    HalfOpen,
}

/// Whether a call may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    /// As many as there are.
    Free,
    /// One, to find out.
    One,
    /// None before then.
    NotBefore(Instant),
}

/// What a call changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// The party is away.
    Opened,
    /// It is back.
    Closed,
}

/// One circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Circuit {
    state: CircuitState,
    /// Since when it stands so; `None` from the start.
    since: Option<Instant>,
    /// Where it is open, when one call may go; where it is half open, when that call is over at the latest.
    until: Instant,
    /// How long that was ahead when it was set. What lies further ahead was set by a clock that has gone back since, and
    /// is over.
    wait_ms: u64,
    /// How often in a row it was found that the party is not back.
    openings: u32,
    /// Whether nobody was there when it opened.
    is_unreachable: bool,
    in_a_row: u32,
    /// Of the last calls, whether they failed.
    recent: VecDeque<bool>,
}

impl Default for Circuit {
    fn default() -> Self {
        Self {
            state: CircuitState::Closed,
            since: None,
            until: Instant(0),
            wait_ms: 0,
            openings: 0,
            is_unreachable: false,
            in_a_row: 0,
            recent: VecDeque::new(),
        }
    }
}

impl Circuit {
    /// How it stands, and since when.
    pub(crate) fn stands(&self) -> (CircuitState, Option<Instant>) {
        (self.state, self.since)
    }

    /// Whether a call may go now.
    pub(crate) fn passage(&self, now: Instant) -> Passage {
        let is_over = now >= self.until || self.until > now.plus_ms(self.wait_ms);
        match self.state {
            CircuitState::Closed => Passage::Free,
            // A call that was to find out and never ended has to be made again.
            CircuitState::Open | CircuitState::HalfOpen if is_over => Passage::One,
            CircuitState::Open | CircuitState::HalfOpen => Passage::NotBefore(self.until),
        }
    }

    /// Lets a call go that ends within so many milliseconds. False where none may.
    pub(crate) fn begin(&mut self, now: Instant, within_ms: u64) -> bool {
        match self.passage(now) {
            Passage::Free => true,
            Passage::NotBefore(_) => false,
            Passage::One => {
                self.turn(CircuitState::HalfOpen, now, within_ms);
                true
            }
        }
    }

    /// Takes in how a call ended. `chance` of 256 shortens the wait by up to half, so that parties that are back are not
    /// met by everybody at once.
    pub(crate) fn hear(
        &mut self,
        call: Call,
        now: Instant,
        probing: Probing,
        chance: u8,
    ) -> Change {
        match (self.state, call) {
            // It had begun before.
            (CircuitState::Open, _) => Change::None,
            (CircuitState::HalfOpen, Call::Answered) => {
                *self = Circuit::default();
                self.since = Some(now);
                Change::Closed
            }
            (CircuitState::HalfOpen, _) => self.open(call, now, probing, chance),
            (CircuitState::Closed, _) => {
                self.count(call);
                match self.is_broken() {
                    true => self.open(call, now, probing, chance),
                    false => Change::None,
                }
            }
        }
    }

    /// The party was reached by other calls: where it could not be reached at all, it is found out at once whether these
    /// pass, too.
    pub(crate) fn reached(&mut self, now: Instant) {
        if self.state == CircuitState::Open && self.is_unreachable {
            self.until = self.until.min(now);
        }
    }

    fn count(&mut self, call: Call) {
        self.in_a_row = match call {
            Call::Answered => 0,
            _ => self.in_a_row.saturating_add(1),
        };
        if call != Call::Declined {
            self.recent.push_back(call != Call::Answered);
            if self.recent.len() > WINDOW {
                self.recent.pop_front();
            }
        }
    }

    fn is_broken(&self) -> bool {
        let failed = self.recent.iter().filter(|failed| **failed).count();
        let is_half =
            self.recent.len() >= WINDOW_LEAST && failed.saturating_mul(2) >= self.recent.len();
        self.in_a_row >= IN_A_ROW || is_half
    }

    fn open(&mut self, call: Call, now: Instant, probing: Probing, chance: u8) -> Change {
        let factor = 1_u64.checked_shl(self.openings).unwrap_or(u64::MAX);
        let wait = probing.first_ms.saturating_mul(factor).min(probing.most_ms);
        let wait = wait - wait.saturating_mul(u64::from(chance)) / 512;
        let was_closed = self.state == CircuitState::Closed;
        self.openings = self.openings.saturating_add(1);
        self.is_unreachable = call == Call::Unreachable;
        (self.in_a_row, self.recent) = (0, VecDeque::new());
        self.turn(CircuitState::Open, now, wait);
        match was_closed {
            true => Change::Opened,
            false => Change::None,
        }
    }

    /// Stands so for so many milliseconds at least. While it is not closed, it is told since when it has not been.
    fn turn(&mut self, state: CircuitState, now: Instant, wait_ms: u64) {
        if self.state == CircuitState::Closed {
            self.since = Some(now);
        }
        self.state = state;
        (self.until, self.wait_ms) = (now.plus_ms(wait_ms), wait_ms);
    }
}

/// What calls are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// To be decided while somebody waits.
    Asking,
    /// To be kept.
    Delivering,
}

/// The two circuits of a party.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Health {
    asking: Circuit,
    delivering: Circuit,
}

impl Health {
    /// The circuit of a way.
    pub(crate) fn of(&self, way: Way) -> &Circuit {
        match way {
            Way::Asking => &self.asking,
            Way::Delivering => &self.delivering,
        }
    }

    /// Lets a call go, as [`Circuit::begin`] does.
    pub(crate) fn begin(&mut self, way: Way, now: Instant, within_ms: u64) -> bool {
        self.pair(way).0.begin(now, within_ms)
    }

    /// Takes in how a call ended, and says what it changed on its own way.
    pub(crate) fn hear(
        &mut self,
        way: Way,
        call: Call,
        now: Instant,
        probing: Probing,
        chance: u8,
    ) -> Change {
        let (own, other) = self.pair(way);
        let change = own.hear(call, now, probing, chance);
        match call {
            Call::Unreachable => {
                other.hear(call, now, probing, chance);
            }
            Call::Answered if change == Change::Closed => other.reached(now),
            Call::Answered | Call::Declined | Call::Silent => {}
        }
        change
    }

    fn pair(&mut self, way: Way) -> (&mut Circuit, &mut Circuit) {
        match way {
            Way::Asking => (&mut self.asking, &mut self.delivering),
            Way::Delivering => (&mut self.delivering, &mut self.asking),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBING: Probing = Probing {
        first_ms: 1_000,
        most_ms: 10_000,
    };

    fn at(ms: u64) -> Instant {
        Instant(0).plus_ms(ms)
    }

    fn hear(circuit: &mut Circuit, calls: &str) -> String {
        let change = |call: char| {
            let call = match call {
                'a' => Call::Answered,
                'd' => Call::Declined,
                's' => Call::Silent,
                _ => Call::Unreachable,
            };
            match circuit.hear(call, at(0), PROBING, 0) {
                Change::None => '.',
                Change::Opened => 'O',
                Change::Closed => 'C',
            }
        };
        calls.chars().map(change).collect()
    }

    #[test]
    fn it_opens_after_five_failures_in_a_row_or_where_half_of_the_last_twenty_failed() {
        let table = [
            // Calls, and what each changed.
            ("uuuuu", "....O"),
            ("sssss", "....O"),
            ("ddddd", "....O"),
            ("dsudd", "....O"),
            ("uuuuauuuua", ".........O"),
            ("uuuuauuuuu", ".........O"),
            ("asasasasas", ".........O"),
            ("asasasasa", "........."),
            ("aasaasaasaasaasaas", ".................."),
            (
                "aaaaaaaaaaaaaaaaaaaassasasasasasasasas",
                ".....................................O",
            ),
            // What is declined while other calls pass is about those calls.
            ("adadadadadadadadadadadad", "........................"),
            ("ddddaddddaddddaddddadddd", "........................"),
        ];
        for (calls, changes) in table {
            assert_eq!(hear(&mut Circuit::default(), calls), changes, "{calls}");
        }
    }

    #[test]
    fn while_it_is_open_nothing_passes_and_then_one_call_finds_out() {
        let mut circuit = Circuit::default();
        assert_eq!(hear(&mut circuit, "uuuuuu"), "....O.");
        assert_eq!(circuit.passage(at(999)), Passage::NotBefore(at(1_000)));
        assert!(!circuit.begin(at(999), 500));
        assert_eq!(circuit.passage(at(1_000)), Passage::One);
        assert!(circuit.begin(at(1_000), 500));
        assert!(!circuit.begin(at(1_001), 500), "one alone");
        assert_eq!(circuit.stands(), (CircuitState::HalfOpen, Some(at(0))));
        let back = circuit.hear(Call::Answered, at(1_100), PROBING, 0);
        assert_eq!(back, Change::Closed);
        assert_eq!(circuit.passage(at(1_100)), Passage::Free);
        assert_eq!(circuit.stands(), (CircuitState::Closed, Some(at(1_100))));
        assert_eq!(hear(&mut circuit, "uuuu"), "....", "it begins anew");
    }

    #[test]
    fn the_wait_doubles_up_to_its_bound_and_chance_shortens_it_by_half_at_most() {
        for (chance, waits) in [
            (0, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]),
            (255, [502, 1_004, 2_008, 4_016, 5_020, 5_020]),
        ] {
            let mut circuit = Circuit::default();
            let mut now = at(0);
            for _ in 0..IN_A_ROW {
                circuit.hear(Call::Unreachable, now, PROBING, chance);
            }
            for wait in waits {
                assert_eq!(
                    circuit.passage(now),
                    Passage::NotBefore(now.plus_ms(wait)),
                    "{chance}"
                );
                now = now.plus_ms(wait);
                assert!(circuit.begin(now, 100));
                circuit.hear(Call::Silent, now, PROBING, chance);
            }
        }
    }

    #[test]
    fn a_call_that_was_to_find_out_and_never_ended_is_made_again() {
        let mut circuit = Circuit::default();
        hear(&mut circuit, "uuuuu");
        assert!(circuit.begin(at(1_000), 500));
        assert_eq!(circuit.passage(at(1_499)), Passage::NotBefore(at(1_500)));
        assert!(circuit.begin(at(1_500), 500));
    }

    #[test]
    fn a_clock_that_goes_back_keeps_nothing_shut() {
        let mut circuit = Circuit::default();
        for _ in 0..IN_A_ROW {
            circuit.hear(Call::Declined, at(600_000), PROBING, 0);
        }
        assert_eq!(
            circuit.passage(at(600_999)),
            Passage::NotBefore(at(601_000))
        );
        assert_eq!(circuit.passage(at(0)), Passage::One);
        assert!(circuit.begin(at(0), 100) && !circuit.begin(at(50), 100));
    }

    #[test]
    fn who_is_slow_to_decide_is_delivered_to_and_who_is_away_is_not_asked_either() {
        let hear = |health: &mut Health, way, call, times: usize, now| {
            (0..times).for_each(|_| {
                health.hear(way, call, now, PROBING, 0);
            });
        };
        let stands =
            |health: &Health| [Way::Asking, Way::Delivering].map(|way| health.of(way).stands().0);
        let mut slow = Health::default();
        hear(&mut slow, Way::Asking, Call::Silent, 5, at(0));
        assert_eq!(stands(&slow), [CircuitState::Open, CircuitState::Closed]);
        let mut away = Health::default();
        hear(&mut away, Way::Asking, Call::Unreachable, 5, at(0));
        assert_eq!(stands(&away), [CircuitState::Open, CircuitState::Open]);
        // Reached on one way, it is tried at once on the other.
        hear(&mut away, Way::Delivering, Call::Unreachable, 1, at(0));
        assert!(away.begin(Way::Delivering, at(1_000), 100));
        hear(&mut away, Way::Delivering, Call::Silent, 1, at(1_000));
        assert!(away.begin(Way::Asking, at(2_500), 100));
        hear(&mut away, Way::Asking, Call::Unreachable, 1, at(2_500));
        assert!(away.begin(Way::Delivering, at(3_000), 100));
        hear(&mut away, Way::Delivering, Call::Answered, 1, at(3_000));
        assert_eq!(stands(&away), [CircuitState::Open, CircuitState::Closed]);
        let asking = away.of(Way::Asking);
        assert_eq!(asking.passage(at(3_000)), Passage::One);
    }
}
