// node-gitter: the current user, rooms and messages over REST, and news of a room. It sends bodies in chunks, which
// Gitter 21.15 refuses (gitter-api 3.1), and so does the sandbox: what it cannot write is written by plain requests.
'use strict';

const assert = require('assert');
const Gitter = require('node-gitter');
const { API_URL, REALTIME_URL, ROOM_URI, Seen, TOKEN, api, run } = require('./common.js');

run(async () => {
  const gitter = new Gitter(TOKEN, {
    client: { apiEndpoint: API_URL },
    faye: { host: REALTIME_URL, clientType: 'test' },
  });
  const user = await gitter.currentUser();
  assert.ok(user.username);
  await assert.rejects(gitter.rooms.findByUri(ROOM_URI), /^Error: 406/);
  const { id } = await api('POST', '/rooms', { uri: ROOM_URI });
  await api('POST', '/user/me/rooms', { id });
  const path = `/rooms/${id}/chatMessages`;
  const room = await gitter.rooms.find(id);
  assert.strictEqual(room.uri, ROOM_URI);
  const rooms = await gitter.rooms.findAll();
  assert.ok(rooms.some((listed) => listed.id === room.id));
  const users = await room.users();
  assert.ok(users.some((member) => member.username === user.username));

  const seen = new Seen();
  const ready = new Promise((resolve) => {
    room.subscribe();
    const channel = `/api/v1/rooms/${room.id}/chatMessages`;
    gitter.faye.subscriptions[channel].subscription.then(resolve);
  });
  room.on('chatMessages', (frame) => seen.add(frame));
  await ready;
  const sent = await api('POST', path, { text: 'hello' });
  const created = await seen.until('create', (frame) => frame.model.id === sent.id);
  assert.strictEqual(created.operation, 'create');
  assert.strictEqual(created.model.fromUser.username, user.username);
  const status = await api('POST', path, { text: 'waves', status: true });
  const messages = await room.chatMessages({ limit: 2 });
  assert.deepStrictEqual(messages.map((message) => message.id), [sent.id, status.id]);
  gitter.faye.disconnect();
});
