//! Sets of signals, as `/proc/PID/status` shows them.

use std::fmt;

use nix::sys::signal::Signal;

/// A set of signals; bit *n* - 1 stands for signal *n*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(u64);

impl SignalSet {
    /// The set with these bits.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits, real-time signals included.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether `signal` is in the set.
    pub fn contains(self, signal: Signal) -> bool {
        self.has(signal as u32)
    }

    /// Whether no signal is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The signals of the set that have a name, by number.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        Signal::iterator().filter(move |&signal| self.contains(signal))
    }

    fn has(self, number: u32) -> bool {
        self.0 & (1 << (number - 1)) != 0
    }
}

/// `SIGHUP SIGTERM`, real-time signals by number, `none` for the empty set.
impl fmt::Display for SignalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let numbers = (1..=64).filter(|&number| self.has(number));
        for (index, number) in numbers.enumerate() {
            let space = if index == 0 { "" } else { " " };
            match Signal::try_from(number as i32) {
                Ok(signal) => write!(f, "{space}{signal}")?,
                Err(_) => write!(f, "{space}{number}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_fourteen_is_sigterm() {
        let set = SignalSet::from_bits(0x4001 | 1 << 63);
        assert!(
            set.contains(Signal::SIGTERM)
                && set.contains(Signal::SIGHUP)
                && !set.contains(Signal::SIGINT)
        );
        assert_eq!(
            set.iter().collect::<Vec<_>>(),
            [Signal::SIGHUP, Signal::SIGTERM]
        );
        assert_eq!(set.to_string(), "SIGHUP SIGTERM 64");
        assert_eq!(SignalSet::default().to_string(), "none");
    }
}
