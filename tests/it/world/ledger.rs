//! What the bridge's own database says: how often it tried, and what became of items.

use super::{Room, World, until};

impl World {
    /// How often messages of a room were sent to Gitter.
    pub(crate) async fn tries_to_gitter(&self, room: &Room) -> i64 {
        const TRIES: &str = "SELECT CAST(COALESCE(SUM(tries), 0) AS BIGINT) FROM attempt
            WHERE direction = 'to_gitter' AND gitter_room_id = $1";
        self.number(TRIES, room).await
    }

    /// How often messages of a room were sent to the homeserver.
    pub(crate) async fn tries_to_matrix(&self, room: &Room) -> i64 {
        const TRIES: &str = "SELECT CAST(COALESCE(SUM(tries), 0) AS BIGINT) FROM attempt
            WHERE direction = 'to_matrix' AND gitter_room_id = $1";
        self.number(TRIES, room).await
    }

    /// How many messages of a room, in both directions together, were sent more than once, or never.
    pub(crate) async fn not_sent_once(&self, room: &Room) -> i64 {
        const ODD: &str = "SELECT COUNT(*) FROM attempt WHERE tries <> 1 AND gitter_room_id = $1";
        self.number(ODD, room).await
    }

    /// Waits until so many messages of a room, in both directions together, are on their way.
    pub(crate) async fn in_flight(&self, room: &Room, count: i64) {
        const OPEN: &str = "SELECT COUNT(*) FROM attempt WHERE state = 'open' AND gitter_room_id = $1";
        until(&format!("{count} requests to be under way"), async || {
            let found = self.number(OPEN, room).await;
            if found == count {
                return Ok(Some(()));
            }
            anyhow::bail!("{found} are")
        })
        .await;
    }

    /// How many items of a room have no outcome.
    pub(crate) async fn waiting(&self, room: &Room) -> i64 {
        const WAITING: &str = "SELECT COUNT(*) FROM inbox WHERE state <> 'settled' AND gitter_room_id = $1";
        self.number(WAITING, room).await
    }

    /// How many items, of whatever room, have an outcome with a reason, such as `failed bad_event`.
    pub(crate) async fn items(&self, outcome: &str) -> i64 {
        const ITEMS: &str = "SELECT COUNT(*) FROM inbox WHERE outcome || ' ' || reason = $1";
        self.database.number(ITEMS, outcome).await
    }

    /// How many items crossed whose detail is this.
    pub(crate) async fn items_that_say(&self, detail: &str) -> i64 {
        const ITEMS: &str = "SELECT COUNT(*) FROM inbox WHERE outcome = 'bridged' AND detail = $1";
        self.database.number(ITEMS, detail).await
    }

    async fn number(&self, query: &'static str, room: &Room) -> i64 {
        self.database.number(query, &room.gitter.to_string()).await
    }
}
