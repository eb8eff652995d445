//! A tape of numbers that a bill is generated from. A shorter tape, or one of smaller numbers, makes a simpler
//! bill, so that a failing one is shrunk by cutting and lowering its tape, whatever it stands for.

/// How often a smaller tape is tried before the smallest found is told.
const MOST_TRIES: usize = 20_000;

/// Numbers that choices are read from.
pub(crate) struct Tape {
    values: Vec<u32>,
    at: usize,
    /// Where further values come from; a replayed tape ends in zeros.
    source: Option<u64>,
}

impl Tape {
    /// A tape without end, the same for the same seed.
    pub(crate) fn random(seed: u64) -> Tape {
        Tape {
            values: Vec::new(),
            at: 0,
            source: Some(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        }
    }

    /// A tape that was recorded.
    pub(crate) fn replay(values: Vec<u32>) -> Tape {
        Tape {
            values,
            at: 0,
            source: None,
        }
    }

    /// What was read.
    pub(crate) fn recorded(&self) -> Vec<u32> {
        self.values[..self.at.min(self.values.len())].to_vec()
    }

    fn next(&mut self) -> u32 {
        if self.at == self.values.len()
            && let Some(state) = &mut self.source
        {
            self.values.push(split_mix(state));
        }
        let value = self.values.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        value
    }

    /// A number below `bound`; 0 is the simplest.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound <= 1 << 16 {
            return (u64::from(self.next()) * bound) >> 32;
        }
        let wide = (u128::from(self.next()) << 32) | u128::from(self.next());
        ((wide * u128::from(bound)) >> 64) as u64
    }

    /// Once in `times`; no is the simplest.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) + 1 == times
    }

    /// One of `choices`; the first is the simplest.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Something once in `times`.
    pub(crate) fn maybe<T>(&mut self, times: u64, make: impl FnOnce(&mut Tape) -> T) -> Option<T> {
        self.once_in(times).then(|| make(self))
    }
}

/// Steele, Lea and Flood's SplitMix64: one state, well-mixed outputs.
fn split_mix(state: &mut u64) -> u32 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) >> 32) as u32
}

/// The smallest tape found for which `fails` still holds.
pub(crate) fn shrink(tape: Vec<u32>, fails: impl Fn(&[u32]) -> bool) -> Vec<u32> {
    let mut best = tape;
    let mut tries = 0;
    let mut attempt = |best: &mut Vec<u32>, smaller: Vec<u32>| {
        tries += 1;
        let better = tries < MOST_TRIES && smaller != *best && fails(&smaller);
        if better {
            *best = smaller;
        }
        better
    };
    loop {
        let mut progress = false;
        for size in [64, 16, 4, 2, 1] {
            let mut at = 0;
            while at < best.len() {
                let end = (at + size).min(best.len());
                let cut = [&best[..at], &best[end..]].concat();
                let zeroed = [&best[..at], &vec![0; end - at], &best[end..]].concat();
                if attempt(&mut best, cut) {
                    progress = true;
                } else {
                    progress |= attempt(&mut best, zeroed);
                    at += size;
                }
            }
        }
        for at in 0..best.len() {
            let mut step = best[at] / 2;
            while step > 0 {
                let mut lower = best.clone();
                lower[at] -= step;
                if attempt(&mut best, lower) {
                    progress = true;
                    step = step.min(best[at] / 2);
                } else {
                    step /= 2;
                }
            }
        }
        if !progress {
            return best;
        }
    }
}

#[test]
fn a_tape_shrinks_to_the_smallest_that_fails() {
    let sum = |tape: &[u32]| {
        let mut tape = Tape::replay(tape.to_vec());
        (0..3).map(|_| tape.below(1_000)).sum::<u64>()
    };
    let mut tape = Tape::random(7);
    while sum(&tape.recorded()) < 900 {
        tape.next();
    }
    let smallest = shrink(tape.recorded(), |tape| sum(tape) >= 900);
    assert_eq!(sum(&smallest), 900);
    assert_eq!(Tape::random(7).next(), Tape::random(7).next());
}
