//! Whether what arrived is what was sent. Pure.

use std::{collections::HashMap, hash::Hash, ops::Add};

/// How the messages that arrived in a room differ from those sent to it. Zero differences everywhere is
/// what the bridge promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Messages sent that arrived.
    pub arrived: usize,
    /// Messages sent that did not arrive.
    pub lost: usize,
    /// Arrivals beyond what was sent: second copies, and messages that nobody wrote.
    pub duplicated: usize,
    /// Messages that arrived after one that was sent later.
    pub reordered: usize,
}

impl Comparison {
    /// Whether everything arrived, once and in order.
    pub const fn is_clean(&self) -> bool {
        self.lost == 0 && self.duplicated == 0 && self.reordered == 0
    }
}

impl Add for Comparison {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            arrived: self.arrived + other.arrived,
            lost: self.lost + other.lost,
            duplicated: self.duplicated + other.duplicated,
            reordered: self.reordered + other.reordered,
        }
    }
}

/// Compares the messages sent to one room, in the order of sending, with those that arrived, in the order
/// that people see. Equal messages are told apart by their order.
pub fn compare<T: Eq + Hash>(sent: &[T], arrived: &[T]) -> Comparison {
    let mut places: HashMap<&T, Vec<usize>> = HashMap::new();
    for (place, message) in sent.iter().enumerate().rev() {
        places.entry(message).or_default().push(place);
    }
    let mut comparison = Comparison::default();
    let mut latest = 0;
    for message in arrived {
        match places.get_mut(message).and_then(Vec::pop) {
            Some(place) => {
                comparison.arrived += 1;
                comparison.reordered += usize::from(place < latest);
                latest = latest.max(place);
            }
            None => comparison.duplicated += 1,
        }
    }
    comparison.lost = sent.len() - comparison.arrived;
    comparison
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(sent: &str, arrived: &str) -> (usize, usize, usize, usize) {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        let found = compare(&letters(sent), &letters(arrived));
        (found.arrived, found.lost, found.duplicated, found.reordered)
    }

    #[test]
    fn the_same_is_clean() {
        assert_eq!(figures("abc", "abc"), (3, 0, 0, 0));
        assert_eq!(figures("aab", "aab"), (3, 0, 0, 0));
    }

    #[test]
    fn what_is_missing_is_lost() {
        assert_eq!(figures("abc", "ac"), (2, 1, 0, 0));
        assert_eq!(figures("aa", "a"), (1, 1, 0, 0));
        assert_eq!(figures("abc", ""), (0, 3, 0, 0));
    }

    #[test]
    fn what_is_too_much_is_duplicated() {
        assert_eq!(figures("abc", "abbc"), (3, 0, 1, 0));
        assert_eq!(figures("abc", "abcx"), (3, 0, 1, 0));
    }

    #[test]
    fn what_comes_late_is_reordered() {
        assert_eq!(figures("abc", "acb"), (3, 0, 0, 1));
        assert_eq!(figures("abcd", "dabc"), (4, 0, 0, 3));
    }

    #[test]
    fn rooms_add_up() {
        let sum = compare(&["a"], &[]) + compare(&["a"], &["a", "a"]);
        assert_eq!((sum.arrived, sum.lost, sum.duplicated), (1, 1, 1));
        assert!(!sum.is_clean());
    }
}
