// npm's faye client: a snapshot with the subscription; create, update and remove as they happen.
'use strict';

const assert = require('assert');
const faye = require('faye');
const { REALTIME_URL, ROOM_URI, Seen, TOKEN, api, run } = require('./common.js');

run(async () => {
  const room = await api('POST', '/rooms', { uri: ROOM_URI });
  const path = `/rooms/${room.id}/chatMessages`;
  const before = await api('POST', path, { text: 'before' });

  const frames = new Seen();
  const snapshots = new Seen();
  const client = new faye.Client(REALTIME_URL);
  client.addExtension({
    outgoing(message, callback) {
      if (message.channel === '/meta/handshake') message.ext = { token: TOKEN };
      callback(message);
    },
    incoming(message, callback) {
      if (message.channel === '/meta/subscribe') snapshots.add(message.ext.snapshot);
      callback(message);
    },
  });
  await client.subscribe(`/api/v1${path}`, (frame) => frames.add(frame));
  const snapshot = await snapshots.until('a snapshot', () => true);
  assert.deepStrictEqual(snapshot.map((message) => message.id), [before.id]);

  const is = (operation, id) => (frame) => frame.operation === operation && frame.model.id === id;
  const created = await api('POST', path, { text: 'hello *there*' });
  const create = await frames.until('create', is('create', created.id));
  assert.strictEqual(create.model.html, 'hello <em>there</em>');
  assert.strictEqual(create.model.v, 1);

  await api('PUT', `${path}/${created.id}`, { text: 'changed' });
  const update = await frames.until('update', is('update', created.id));
  assert.strictEqual(update.model.text, 'changed');
  assert.ok(update.model.editedAt);

  // The parent's counter is told before the reply itself (gitter-api 5.2).
  const reply = await api('POST', path, { text: 'a reply', parentId: before.id });
  await frames.until('reply', is('create', reply.id));
  const order = frames.all.map((frame) => `${frame.operation} ${frame.model.id}`);
  assert.ok(order.indexOf(`update ${before.id}`) < order.indexOf(`create ${reply.id}`), order.join(', '));

  await api('DELETE', `${path}/${created.id}`);
  const remove = await frames.until('remove', is('remove', created.id));
  assert.deepStrictEqual(Object.keys(remove.model), ['id']);
  await client.disconnect();
});
