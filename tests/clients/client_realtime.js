// gitter-realtime-client (Backbone over halley): the rooms of the user and the messages of one room, live.
'use strict';

const assert = require('assert');
const realtime = require('gitter-realtime-client');
const { REALTIME_URL, ROOM_URI, Seen, TOKEN, api, run } = require('./common.js');

run(async () => {
  const room = await api('POST', '/rooms', { uri: ROOM_URI });
  await api('POST', '/user/me/rooms', { id: room.id });
  const path = `/rooms/${room.id}/chatMessages`;
  const before = await api('POST', path, { text: 'before' });

  const client = new realtime.RealtimeClient({ fayeUrl: REALTIME_URL, token: TOKEN });
  const events = new Seen();
  const rooms = new realtime.RoomCollection([], { client, listen: true });
  rooms.on('snapshot add reset', () => events.add('rooms'));
  await events.until('rooms', () => rooms.get(room.id));
  assert.strictEqual(rooms.get(room.id).get('uri'), ROOM_URI);

  const Messages = realtime.LiveCollection.extend({ urlTemplate: `/v1${path}` });
  const messages = new Messages([], { client, listen: true });
  messages.on('snapshot add change remove reset', () => events.add('messages'));
  await events.until('the snapshot', () => messages.get(before.id));

  const created = await api('POST', path, { text: 'hello' });
  await events.until('a create', () => messages.get(created.id));
  await api('PUT', `${path}/${created.id}`, { text: 'changed' });
  await events.until('an update', () => messages.get(created.id).get('text') === 'changed');
  await api('DELETE', `${path}/${created.id}`);
  await events.until('a remove', () => !messages.get(created.id));
  assert.ok(messages.get(before.id));
});
