// A person with matrix-js-sdk, the library beneath Element, who looks for Gitter's rooms and joins one by its alias.
// Prints one JSON object: the protocols that the homeserver offers, what a search finds, the room, and how it looks.
'use strict';

const path = require('path');
const { pathToFileURL } = require('url');

// The library needs Node 22 only for this.
Promise.withResolvers ??= function withResolvers() {
  let resolve;
  let reject;
  const promise = new Promise((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
};

const { HOMESERVER, LOCALPART, PASSWORD, ALIAS, SEARCH, SAY } = process.env;

async function visit() {
  // A module of the new kind: those are not looked for in NODE_PATH.
  const entry = path.join(process.env.NODE_PATH, 'matrix-js-sdk/lib/index.js');
  const sdk = await import(pathToFileURL(entry).href);
  const quiet = { trace() {}, debug() {}, info() {}, warn() {}, error: console.error, getChild: () => quiet };
  const guest = sdk.createClient({ baseUrl: HOMESERVER, logger: quiet });
  const session = await guest.loginRequest({
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: LOCALPART },
    password: PASSWORD,
  });
  const client = sdk.createClient({
    baseUrl: HOMESERVER,
    accessToken: session.access_token,
    userId: session.user_id,
    deviceId: session.device_id,
    logger: quiet,
  });
  const prepared = new Promise((resolve) => {
    client.on('sync', (state) => state === 'PREPARED' && resolve());
  });
  await client.startClient({ initialSyncLimit: 50 });
  await prepared;
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
