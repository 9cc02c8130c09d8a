// Somebody who signs in with matrix-js-sdk, the library beneath Element, to the account that the environment names.
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

const { HOMESERVER, LOCALPART, PASSWORD } = process.env;

/** The person's client, once it knows the rooms. */
async function signIn() {
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
  return client;
}

module.exports = { signIn };
