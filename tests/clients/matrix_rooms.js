// A person with matrix-js-sdk, the library beneath Element, who looks for Gitter's rooms and joins one by its alias.
// Prints one JSON object: the protocols that the homeserver offers, what a search finds, the room, and how it looks.
'use strict';

const { signIn } = require('./matrix_client');

const { ALIAS, SEARCH, SAY } = process.env;

async function visit() {
  const client = await signIn();
  const joined = await client.joinRoom(ALIAS);
  let room = null;
  while (!room?.currentState.getStateEvents('m.bridge').length) {
    await new Promise((resolve) => client.once('sync', resolve));
    room = client.getRoom(joined.roomId);
  }
  await client.sendTextMessage(joined.roomId, SAY);
  const [bridge] = room.currentState.getStateEvents('m.bridge');
  const space = room.currentState.getStateEvents('m.space.parent')[0]?.getStateKey() ?? null;
  const hierarchy = space ? await client.getRoomHierarchy(space) : { rooms: [] };
  const seen = {
    protocols: Object.keys(await client.getThirdpartyProtocols()),
    found: await client.getThirdpartyLocation('gitter', { room: SEARCH }),
    room: joined.roomId,
    name: room.name,
    alias: room.getCanonicalAlias(),
    channel: bridge.getContent().channel.id,
    history: room.getHistoryVisibility(),
    space: hierarchy.rooms[0]?.name ?? null,
    children: hierarchy.rooms.slice(1).map((child) => child.room_id),
  };
  client.stopClient();
  return seen;
}

const tooLong = setTimeout(() => {
  console.error('no end after 80 s');
  process.exit(1);
}, 80000);
visit().then(
  (seen) => {
    clearTimeout(tooLong);
    process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
