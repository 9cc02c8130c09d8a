// Drives a sandbox by two clients of npm. Usage: node clients.js API BAYEUX TOKEN ROOM
'use strict';
const assert = require('assert');
const path = require('path');
const { createRequire } = require('module');
const installed = createRequire(path.join(process.cwd(), 'package.json'));
const [api, bayeux, token, room] = process.argv.slice(2);
const channel = `/api/v1/rooms/${room}/chatMessages`;

const call = (method, rest, body) => request(method, `/rooms/${room}/chatMessages${rest}`, body);

async function request(method, rest, body) {
  const answer = await fetch(`${api}${rest}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  assert(answer.ok, `${method} ${rest}: ${answer.status}`);
  return answer.status === 204 ? null : answer.json();
}

/// News in the order they come; `next` waits for the first that is wanted.
function inbox() {
  const waiting = [];
  let wake = () => {};
  return {
    put(news) { waiting.push(news); wake(); },
    async next(wanted) {
      for (;;) {
        const place = waiting.findIndex(wanted);
        if (place >= 0) return waiting.splice(place, 1)[0];
        await new Promise((resolve) => { wake = resolve; });
      }
    },
  };
}

async function withFaye() {
  const { Client } = installed('faye');
  const before = await call('POST', '', { text: 'before' });
  const client = new Client(bayeux);
  let snapshot;
  client.addExtension({
    outgoing(message, callback) {
      if (message.channel === '/meta/handshake') message.ext = { token };
      callback(message);
    },
    incoming(message, callback) {
      if (message.channel === '/meta/subscribe') snapshot = message.ext && message.ext.snapshot;
      callback(message);
    },
  });
  const news = inbox();
  await client.subscribe(channel, (data) => news.put(data));
  assert(snapshot.some((message) => message.id === before.id), 'the snapshot has the message before');
  const posted = await call('POST', '', { text: 'one' });
  const of = (operation, id) => (data) => data.operation === operation && data.model.id === id;
  await news.next(of('create', posted.id));
  const reply = await call('POST', '', { text: 'reply', parentId: posted.id });
  const parent = await news.next(of('update', posted.id));
  assert.strictEqual(parent.model.threadMessageCount, 1);
  assert.strictEqual((await news.next(of('create', reply.id))).model.parentId, posted.id);
  await call('PUT', `/${reply.id}`, { text: 'edited' });
  assert.strictEqual((await news.next(of('update', reply.id))).model.text, 'edited');
  await call('DELETE', `/${reply.id}`);
  assert.deepStrictEqual((await news.next(of('remove', reply.id))).model, { id: reply.id });
  await client.disconnect();
}

async function withNodeGitter() {
  const Gitter = installed('node-gitter');
  const gitter = new Gitter(token, { client: { apiEndpoint: api }, faye: { host: bayeux } });
  await gitter.currentUser();
  const found = await gitter.rooms.find(room);
  assert.strictEqual(found.id, room);
  assert((await gitter.rooms.findAll()).some((listed) => listed.id === room), 'the room is listed');
  const news = inbox();
  found.subscribe();
  const ready = inbox();
  gitter.faye.subscriptions[channel].emitter.on('snapshot', (snapshot) => ready.put(snapshot));
  found.on('chatMessages', (message) => news.put(message));
  await ready.next(() => true);
  // Under today's Node its posts are chunked, which Gitter refuses.
  await assert.rejects(found.send('by node-gitter'), /406/);
  const sent = await call('POST', '', { text: 'to node-gitter' });
  const seen = await news.next((message) => message.model.id === sent.id);
  assert.strictEqual(seen.operation, 'create');
}

(async () => {
  await request('POST', '/user/me/rooms', { id: room });
  await withFaye();
  console.log('faye');
  await withNodeGitter();
  console.log('node-gitter');
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
