// How matrix-js-sdk, the library beneath Element, sees a room: one JSON object of its events by id. The
// conversation is over when this starts.
'use strict';

const { signIn } = require('./matrix_client');

const { ROOM } = process.env;

async function view() {
  const client = await signIn();
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
