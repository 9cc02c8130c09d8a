// How matrix-js-sdk, the library beneath Element, sees a room: one JSON object of its events by id. The
// conversation is over when this starts.
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

const { HOMESERVER, LOCALPART, PASSWORD, ROOM } = process.env;

async function view() {
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
  await client.startClient({ initialSyncLimit: 200, threadSupport: true });
  await prepared;
  const room = client.getRoom(ROOM);
  await Promise.all(room.getThreads().map((thread) => thread.processEvent && thread.fetchInitialEvents?.()));
  const events = [
    ...room.getLiveTimeline().getEvents(),
    ...room.getThreads().flatMap((thread) => thread.events),
  ];
  const seen = {};
  for (const event of events) {
    if (event.getType() !== 'm.room.message') continue;
    const content = event.getContent();
    seen[event.getId()] = {
      sender: event.getSender(),
      name: room.getMember(event.getSender())?.name,
      body: content.body ?? null,
      html: content.formatted_body ?? null,
      msgtype: content.msgtype ?? null,
      redacted: event.isRedacted(),
      edited: Boolean(event.replacingEventId()),
      thread: event.threadRootId ?? null,
      reply_to: event.replyEventId ?? null,
      highlight: client.getPushActionsForEvent(event)?.tweaks?.highlight === true,
    };
  }
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
