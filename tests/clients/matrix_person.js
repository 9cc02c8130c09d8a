// Somebody on Matrix, with matrix-js-sdk, the library beneath Element. Each line of the standard input is a wish, each
// line of the standard output what came of it.
//
//   {"do":"create","name":"pier"}                    -> {"room":"!..."}
//   {"do":"invite","room":"!...","user":"@..."}      -> {}
//   {"do":"say","room":"!...","text":"..."}          -> {"event":"$..."}
//   {"do":"hear","room":"!...","from":"@...","text":"part of it","reply_to":"$..."}  -> {"event","body","msgtype"}
'use strict';

const readline = require('readline');

const { signIn } = require('./matrix_client');

function eventsOf(client, id) {
  const room = client.getRoom(id);
  if (!room) return [];
  return [...room.getLiveTimeline().getEvents(), ...room.getThreads().flatMap((thread) => thread.events)];
}

/** Waits until the person sees a message like that. */
function hear(client, wish) {
  const find = () =>
    eventsOf(client, wish.room).find((event) => {
      const content = event.getContent();
      return (
        event.getType() === 'm.room.message' &&
        event.getSender() === wish.from &&
        (content.body ?? '').includes(wish.text ?? '') &&
        (!wish.reply_to || event.replyEventId === wish.reply_to)
      );
    });
  return new Promise((resolve) => {
    const look = () => {
      const found = find();
      if (!found) return;
      client.off('Room.timeline', look);
      const { body, msgtype } = found.getContent();
      resolve({ event: found.getId(), body, msgtype });
    };
    client.on('Room.timeline', look);
    look();
  });
}

async function fulfil(client, wish) {
  switch (wish.do) {
    case 'create': {
      const made = await client.createRoom({ name: wish.name, preset: 'public_chat' });
      return { room: made.room_id };
    }
    case 'invite':
      await client.invite(wish.room, wish.user);
      return {};
    case 'say': {
      const said = await client.sendTextMessage(wish.room, wish.text);
      return { event: said.event_id };
    }
    case 'hear':
      return hear(client, wish);
    default:
      throw new Error(`nobody knows how to ${wish.do}`);
  }
}

async function live() {
  const client = await signIn();
  process.stdout.write('{"ready":true}\n');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const result = await fulfil(client, JSON.parse(line));
    process.stdout.write(`${JSON.stringify(result)}\n`);
  }
  client.stopClient();
}

live().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
