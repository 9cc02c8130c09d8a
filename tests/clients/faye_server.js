// A Bayeux server of npm's: `node faye_server.js <package> <port> <websocket|polling>`.
//
// Its first line on stdout says that it is ready. Each line on stdin is published: {"channel", "data"}. It gives
// every subscription to messages a snapshot, as Gitter does, and numbers nothing. With `polling` it takes no
// WebSockets, and with `websocket` nothing else.
'use strict';

const http = require('http');
const readline = require('readline');
const [name, port, transport] = process.argv.slice(2);
const faye = require(name);

const bayeux = new faye.NodeAdapter({ mount: '/bayeux', timeout: 5, ping: 40 });
bayeux.addExtension({
  incoming(message, callback) {
    const token = message.ext && message.ext.token;
    if (message.channel === '/meta/handshake' && token !== 's3cret') {
      message.error = '401::Invalid access token';
    }
    callback(message);
  },
  outgoing(message, callback) {
    const ofMessages = (message.subscription ?? '').endsWith('/chatMessages');
    if (message.channel === '/meta/subscribe' && message.successful && ofMessages) {
      message.ext = { snapshot: [{ id: '5f0000000000000000000d01', text: 'before' }] };
    }
    callback(message);
  },
});

const publisher = bayeux.getClient();
publisher.addExtension({
  outgoing(message, callback) {
    if (message.channel === '/meta/handshake') message.ext = { token: 's3cret' };
    callback(message);
  },
});

const server = http.createServer();
bayeux.attach(server);
if (transport === 'polling') {
  server.removeAllListeners('upgrade');
} else {
  server.removeAllListeners('request');
  server.on('request', (request, response) => response.writeHead(405).end());
}
server.listen(Number(port), '127.0.0.1', () => console.log('ready'));

// One after another, so that they arrive in order.
let published = Promise.resolve();
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { channel, data } = JSON.parse(line);
  published = published.then(() => publisher.publish(channel, data));
});
