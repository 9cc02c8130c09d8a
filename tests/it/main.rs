//! Integration tests: the bridge over real sockets, against stateful fakes.

#[cfg(test)]
mod alias_limits;
#[cfg(test)]
mod bans;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod collector;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod copying;
#[cfg(test)]
mod crossing;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod dry_run;
#[cfg(test)]
mod folding;
#[cfg(test)]
mod forgetting;
#[cfg(test)]
mod gitter_failure;
#[cfg(test)]
mod health;
#[cfg(test)]
mod homeserver;
#[cfg(test)]
mod homeserver_failure;
#[cfg(test)]
mod instances;
#[cfg(test)]
mod kill;
#[cfg(feature = "kill-points")]
#[cfg(test)]
mod kill_points;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod listeners;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod matrix_client;
#[cfg(test)]
mod media;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod missed;
#[cfg(test)]
mod moderation;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod people;
#[cfg(test)]
mod provisioning;
#[cfg(test)]
mod realtime;
#[cfg(test)]
mod removals;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod restored;
#[cfg(test)]
mod rooms_contended;
#[cfg(test)]
mod rooms_life;
#[cfg(test)]
mod rooms_made;
#[cfg(test)]
mod rooms_parted;
#[cfg(test)]
mod rooms_power;
#[cfg(test)]
mod silent_ban;
#[cfg(test)]
mod spaces;
#[cfg(test)]
mod status_page;
#[cfg(test)]
mod third_party;
#[cfg(test)]
mod token;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod transactions;
#[cfg(test)]
mod world;
