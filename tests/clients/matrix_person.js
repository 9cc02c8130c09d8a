// Somebody on Matrix, with matrix-js-sdk, the library beneath Element. Each line of the standard input is a wish, each
// line of the standard output what came of it: {"result": ...}, or {"errcode", "error"} where it was not to be.
'use strict';

const readline = require('readline');

const { signIn } = require('./matrix_client');
const { members, see, stand, state, timeline, until } = require('./matrix_sight');

const LIMIT = 60000;

/** Waits until the client shows that its person is in a room. */
async function arrive(client, room) {
  await until(() => client.getRoom(room)?.getMyMembership() === 'join', LIMIT, () => `not in ${room}`);
  return room;
}

/** Joins rooms by id or alias, all at once. */
async function join(client, { rooms }) {
  const joined = await Promise.all(rooms.map((room) => client.joinRoom(room)));
  return Promise.all(joined.map((room) => arrive(client, room.roomId)));
}

/** Goes where the tombstone of a room points, as clients offer it. */
async function follow(client, { room }) {
  const tombstone = await until(
    () => state(client, { room, type: 'm.room.tombstone' }),
    LIMIT,
    () => `no tombstone in ${room}`,
  );
  const [successor] = await join(client, { rooms: [tombstone.replacement_room] });
  return successor;
}

const say = async (client, room, content) => (await client.sendMessage(room, { msgtype: 'm.text', ...content })).event_id;

// What can be wished for.
const WISHES = {
  create: async (client, { options }) => arrive(client, (await client.createRoom(options)).room_id),
  join,
  follow,
  leave: (client, { room }) => client.leave(room),
  upgrade: async (client, { room, version }) =>
    arrive(client, (await client.upgradeRoom(room, version)).replacement_room),
  invite: (client, { room, user }) => client.invite(room, user),
  kick: (client, { room, user, reason }) => client.kick(room, user, reason),
  ban: (client, { room, user, reason }) => client.ban(room, user, reason),
  unban: (client, { room, user }) => client.unban(room, user),
  set_state: (client, { room, type, key, content }) => client.sendStateEvent(room, type, content, key ?? ''),
  rename: (client, { name }) => client.setDisplayName(name),

  say: (client, { room, text }) => say(client, room, { body: text }),
  reply: (client, { room, event, text }) =>
    say(client, room, { body: text, 'm.relates_to': { 'm.in_reply_to': { event_id: event } } }),
  edit: (client, { room, event, text }) =>
    say(client, room, {
      body: `* ${text}`,
      'm.new_content': { msgtype: 'm.text', body: text },
      'm.relates_to': { rel_type: 'm.replace', event_id: event },
    }),
  redact: (client, { room, event }) => client.redactEvent(room, event),

  see: (client, wish) => see(client, wish, LIMIT),
  stand: (client, wish) => stand(client, wish, LIMIT),
  timeline,
  members: (client, { room }) => members(client, room),
  state,
};

async function fulfil(client, wish) {
  try {
    return { result: (await WISHES[wish.do](client, wish)) ?? null };
  } catch (error) {
    return { errcode: error.errcode ?? null, error: error.message };
  }
}

async function live() {
  const client = await signIn();
  process.stdout.write('{"result":"ready"}\n');
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
