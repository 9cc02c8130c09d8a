// How matrix-js-sdk, the library beneath Element, sees a room: one JSON object of its events by id. The
// conversation is over when this starts.
'use strict';

const { signIn } = require('./matrix_client');
const { timeline } = require('./matrix_sight');

const { ROOM } = process.env;

async function view() {
  const client = await signIn();
  const room = client.getRoom(ROOM);
  await Promise.all(room.getThreads().map((thread) => thread.processEvent && thread.fetchInitialEvents?.()));
  const seen = {};
  for (const message of await timeline(client, { room: ROOM })) seen[message.event] = message;
  client.stopClient();
  return seen;
}

const tooLong = setTimeout(() => {
  console.error('no end after 50 s');
  process.exit(1);
}, 50000);
view().then(
  (seen) => {
    clearTimeout(tooLong);
    process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
