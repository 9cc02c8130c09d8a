//! What the demo measures: the messages that people wrote on each side against those on the other.

use std::time::Duration;

use serde::Serialize;

use crate::{matrix::Event, said::crossings, sandbox::Message};

/// The last line of `cargo xtask demo --once`. The names and their order are part of its contract.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Figures {
    /// Whether everything that was to be said was, and arrived once and in order.
    pub(super) ok: bool,
    to_gitter: usize,
    to_matrix: usize,
    lost: usize,
    duplicated: usize,
    reordered: usize,
    seconds: f64,
}

impl Figures {
    /// Compares the two rooms.
    pub(super) fn measure(matrix: &[Event], gitter: &[Message], talked: bool, elapsed: Duration) -> Self {
        let (to_gitter, to_matrix) = crossings(matrix, gitter);
        let both = to_gitter + to_matrix;
        Self {
            ok: talked && both.is_clean(),
            to_gitter: to_gitter.arrived,
            to_matrix: to_matrix.arrived,
            lost: both.lost,
            duplicated: both.duplicated,
            reordered: both.reordered,
            seconds: (elapsed.as_secs_f64() * 10.0).round() / 10.0,
        }
    }

    /// The figures for people.
    pub(super) fn sentence(&self) -> String {
        let Self {
            to_gitter,
            to_matrix,
            lost,
            duplicated,
            reordered,
            ..
        } = self;
        format!(
            "{to_gitter} messages crossed to Gitter and {to_matrix} to Matrix: {lost} lost, \
             {duplicated} twice, {reordered} out of order."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_keeps_its_form() {
        let figures = Figures::measure(&[], &[], true, Duration::from_millis(1520));
        assert_eq!(
            serde_json::to_string(&figures).unwrap(),
            r#"{"ok":true,"to_gitter":0,"to_matrix":0,"lost":0,"duplicated":0,"reordered":0,"seconds":1.5}"#
        );
    }

    #[test]
    fn a_talk_that_broke_off_is_not_ok() {
        assert!(!Figures::measure(&[], &[], false, Duration::ZERO).ok);
    }
}
