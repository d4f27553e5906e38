//! Faults that strike the nth call of an operation, before or after its effect.

use std::collections::VecDeque;

/// A fault to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault<T> {
    /// Whether the call still takes effect.
    pub strikes: Strikes,
    /// What the caller gets instead of its answer.
    pub trouble: T,
}

impl<T> Fault<T> {
    /// Makes a fault that keeps the call from having its effect.
    pub fn before(trouble: T) -> Self {
        Self { strikes: Strikes::BeforeEffect, trouble }
    }

    /// Makes a fault that hides an effect: the reply is lost.
    pub fn after(trouble: T) -> Self {
        Self { strikes: Strikes::AfterEffect, trouble }
    }
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strikes {
    /// The call has no effect.
    BeforeEffect,
    /// The call has its effect, and its reply is lost.
    AfterEffect,
}

/// The faults to come, each for the nth call of an operation from when it was scripted.
#[derive(Clone, Debug)]
pub struct Script<O, T> {
    faults: VecDeque<Entry<O, T>>,
}

#[derive(Clone, Debug)]
struct Entry<O, T> {
    /// None: any operation.
    operation: Option<O>,
    /// How many calls of the operation pass first.
    pass: usize,
    fault: Fault<T>,
}

impl<O, T> Default for Script<O, T> {
    fn default() -> Self {
        Self { faults: VecDeque::new() }
    }
}

impl<O: Copy + PartialEq, T> Script<O, T> {
    /// Adds a fault for the `n`th call from now (1 is the next) of `operation`; none means of any.
    pub fn add(&mut self, operation: Option<O>, n: usize, fault: Fault<T>) {
        self.faults.push_back(Entry { operation, pass: n.saturating_sub(1), fault });
    }

    /// Counts a call, and takes the fault that strikes it.
    ///
    /// Of several that would strike the same call the first scripted one does; the others strike
    /// the calls after it.
    pub fn strike(&mut self, operation: O) -> Option<Fault<T>> {
        let mut struck = None;
        for (index, entry) in self.faults.iter_mut().enumerate() {
            if entry.operation.is_none_or(|wanted| wanted == operation) {
                if entry.pass > 0 {
                    entry.pass -= 1;
                } else if struck.is_none() {
                    struck = Some(index);
                }
            }
        }
        struck.and_then(|index| self.faults.remove(index)).map(|entry| entry.fault)
    }

    /// Forgets the faults that did not strike.
    pub fn clear(&mut self) {
        self.faults.clear();
    }

    /// Says whether all faults have struck.
    pub fn is_done(&self) -> bool {
        self.faults.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_the_nth_call_of_its_operation_once() {
        let mut script = Script::default();
        script.add(Some('a'), 2, Fault::before("second a"));
        script.add(None, 2, Fault::after("second of any"));
        let struck: Vec<_> =
            "abaab".chars().map(|op| script.strike(op).map(|f| f.trouble)).collect();
        assert_eq!(struck, [None, Some("second of any"), Some("second a"), None, None]);
        assert!(script.is_done());
    }

    #[test]
    fn faults_for_the_same_call_strike_one_after_the_other() {
        let mut script = Script::default();
        script.add(Some('a'), 1, Fault::before(1));
        script.add(Some('a'), 1, Fault::before(2));
        assert_eq!(script.strike('a').map(|f| f.trouble), Some(1));
        assert_eq!(script.strike('a').map(|f| f.trouble), Some(2));
        assert_eq!(script.strike('a'), None);
    }
}
