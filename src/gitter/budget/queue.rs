//! Whose turn it is when the budget has room (DESIGN 3.3). Pure: it is told the time.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

/// How long a request waits until it counts as one of the class before.
const RISES_AFTER: Duration = Duration::from_secs(10);

/// What a request is for. Earlier ones go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Class {
    /// What people say now, what they take back, and what a message on its way needs to be known for.
    Live,
    /// Edits.
    Edit,
    /// Rooms, people, and what was missed.
    #[default]
    Read,
    /// What was said long ago.
    History,
}

impl Class {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Live, Self::Edit, Self::Read, Self::History];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Edit => "edit",
            Self::Read => "read",
            Self::History => "history",
        }
    }

    /// What it counts as after a wait: one class better for each ten seconds.
    fn after(self, waited: Duration) -> Self {
        let steps = waited.as_secs() / RISES_AFTER.as_secs();
        let mut class = self;
        for _ in 0..steps.min(3) {
            class = match class {
                Self::Live | Self::Edit => Self::Live,
                Self::Read => Self::Edit,
                Self::History => Self::Read,
            };
        }
        class
    }
}

/// A place in the queue; smaller numbers came earlier.
pub(super) type Ticket = u64;

/// Those who wait for room in the budget.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Ticket, Waiter>,
    next: Ticket,
}

#[derive(Debug, Clone, Copy)]
struct Waiter {
    class: Class,
    since: Instant,
}

impl Waiter {
    fn class(self, now: Instant) -> Class {
        self.class.after(now.duration_since(self.since))
    }
}

impl Queue {
    /// Joins it.
    pub(super) fn join(&mut self, class: Class, now: Instant) -> Ticket {
        let ticket = self.next;
        self.next = self.next.wrapping_add(1);
        self.waiting.insert(ticket, Waiter { class, since: now });
        ticket
    }

    /// Leaves it; `false` if that was done before.
    pub(super) fn leave(&mut self, ticket: Ticket) -> bool {
        self.waiting.remove(&ticket).is_some()
    }

    /// Whose turn it is: the first to have come of the best class.
    pub(super) fn first(&self, now: Instant) -> Option<Ticket> {
        let first = self
            .waiting
            .iter()
            .min_by_key(|(ticket, waiter)| (waiter.class(now), **ticket));
        first.map(|(ticket, _)| *ticket)
    }

    /// How many have their turn before a request of this class that comes now.
    pub(super) fn ahead_of(&self, class: Class, now: Instant) -> u32 {
        let ahead = self.waiting.values().filter(|waiter| waiter.class(now) <= class);
        count(ahead.count())
    }

    /// How many wait.
    pub(super) fn len(&self) -> u32 {
        count(self.waiting.len())
    }

    /// How many requests of a class wait, by what they are for.
    pub(super) fn of_class(&self, class: Class) -> u32 {
        count(
            self.waiting
                .values()
                .filter(|waiter| waiter.class == class)
                .count(),
        )
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order in which all of a queue have their turn, if it is all at once.
    fn order(mut queue: Queue, now: Instant) -> Vec<Ticket> {
        let mut order = Vec::new();
        while let Some(ticket) = queue.first(now) {
            queue.leave(ticket);
            order.push(ticket);
        }
        order
    }

    #[tokio::test(start_paused = true)]
    async fn classes_come_first_and_then_the_order_of_arrival() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for class in [
            Class::History,
            Class::Edit,
            Class::Live,
            Class::Read,
            Class::Edit,
            Class::Live,
        ] {
            queue.join(class, now);
        }
        let ahead = Class::ALL.map(|class| queue.ahead_of(class, now));
        assert_eq!(ahead, [2, 4, 5, 6]);
        assert_eq!(order(queue, now), [2, 5, 1, 4, 3, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_rises_a_class_in_ten_seconds() {
        let (mut queue, begun) = (Queue::default(), Instant::now());
        let read = queue.join(Class::Read, begun);
        let at = |seconds| begun + Duration::from_secs(seconds);
        let edit = queue.join(Class::Edit, at(9));
        assert_eq!(queue.first(at(9)), Some(edit));
        assert_eq!(queue.first(at(10)), Some(read), "an edit by now, and earlier");
        let live = queue.join(Class::Live, at(18));
        assert_eq!(queue.first(at(18)), Some(live));
        assert_eq!(order(queue, at(20)), [read, edit, live]);
    }

    #[test]
    fn nothing_rises_above_the_first_class() {
        let hour = Duration::from_hours(1);
        assert_eq!(Class::ALL.map(|class| class.after(hour)), [Class::Live; 4]);
        let seconds = Duration::from_secs;
        assert_eq!(Class::History.after(seconds(9)), Class::History);
        assert_eq!(Class::History.after(seconds(29)), Class::Edit);
    }
}
