//! How much those can have made who try aliases.

use crate::{
    rooms_made::{create, on_gitter},
    world::{
        World,
        database::{Database, on_both_databases},
    },
};

on_both_databases![aliases_make_no_more_than_fifty_rooms_a_day];

async fn aliases_make_no_more_than_fifty_rooms_a_day(database: Database) {
    let mut world = World::start(database).await;
    on_gitter(&world, "tidepool/pier");
    on_gitter(&world, "tidepool/cove");
    let alias = "#gitter_tidepool_pier:localhost";
    assert!(world.homeserver.join_alias(alias, &world.ana).await.is_ok());
    world.bridge.stop().await;
    world
        .database
        .change(
            "INSERT INTO portal (gitter_room_id, matrix_room_id, gitter_uri, kind, state, account_id, virtual_users,
                since_id, created_at, gitter_admin, repository, confirmed_at)
            WITH RECURSIVE numbers (number) AS
                (SELECT 1001 UNION ALL SELECT number + 1 FROM numbers WHERE number < 1049)
            SELECT '5f000000000000000000' || number, '!made' || number || ':localhost', 'tidepool/made' || number, kind,
                'private', account_id, virtual_users, since_id, created_at, gitter_admin, repository, confirmed_at
            FROM portal, numbers",
        )
        .await;
    world.bridge.start().await;
    let alias = "#gitter_tidepool_cove:localhost";
    assert!(world.homeserver.join_alias(alias, &world.ana).await.is_err());
    // Operators still can.
    let (status, portal) = create(&world, "tidepool/cove").await;
    assert_eq!(status, 201, "{portal}");
    world.close().await;
}
