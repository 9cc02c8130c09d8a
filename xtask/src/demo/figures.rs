//! What the demo measures: the messages that people wrote on each side against those on the other.

use std::time::Duration;

use serde::Serialize;

use crate::{
    compare::{Comparison, compare},
    gitter, matrix,
};

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

/// What must be the same on both sides.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Said<'a> {
    text: &'a str,
    emote: bool,
    in_thread: bool,
}

impl Figures {
    /// Compares the two rooms.
    pub(super) fn measure(
        matrix: &[matrix::Event],
        gitter: &[gitter::Message],
        talked: bool,
        elapsed: Duration,
    ) -> Self {
        let on_gitter = |native: bool| -> Vec<Said<'_>> {
            let messages = gitter.iter().filter(|message| message.is_native() == native);
            messages.map(Said::on_gitter).collect()
        };
        let on_matrix = |native: bool| -> Vec<Said<'_>> {
            let events = matrix.iter().filter(|event| event.is_bridged() != native);
            events.map(Said::on_matrix).collect()
        };
        let to_gitter = compare(&on_matrix(true), &on_gitter(false));
        let to_matrix = compare(&on_gitter(true), &on_matrix(false));
        let both: Comparison = to_gitter + to_matrix;
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

impl<'a> Said<'a> {
    fn on_matrix(event: &'a matrix::Event) -> Self {
        Self {
            text: event.body(),
            emote: event.is_emote(),
            in_thread: event.thread_root().is_some(),
        }
    }

    fn on_gitter(message: &'a gitter::Message) -> Self {
        Self {
            text: message.bare_text(),
            emote: message.status,
            in_thread: message.parent_id.is_some(),
        }
    }
}
