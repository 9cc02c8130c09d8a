//! End-to-end tests: the bridge as operators run it, between a real Synapse and the sandbox.
//!
//! Each test has servers of its own. They wait for conditions and compare what is in the rooms of both
//! sides; nothing here looks into the bridge.

#[cfg(test)]
mod browser;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod conversation;
#[cfg(test)]
mod crossing;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod dry_run;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod media;
#[cfg(test)]
mod moderation;
#[cfg(test)]
#[path = "../clients/node.rs"]
mod node;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod person;
#[cfg(test)]
mod powerless;
#[cfg(test)]
mod rooms_life;
#[cfg(test)]
mod rooms_made;
#[cfg(test)]
mod volume;
