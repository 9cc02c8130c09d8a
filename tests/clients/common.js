// What the scripts of Gitter's clients share. The sandbox's addresses come in the environment.
'use strict';

const { API_URL, REALTIME_URL, TOKEN, ROOM_URI } = process.env;

/** Asks the sandbox's REST API; gives the body of a success. */
async function api(method, path, body) {
  const response = await fetch(API_URL + path, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  return response.status === 204 ? null : response.json();
}

/** Collects what comes in, and lets a script wait for it. */
class Seen {
  constructor() {
    this.all = [];
    this.waiting = [];
  }

  add(thing) {
    this.all.push(thing);
    this.waiting.forEach((look) => look());
  }

  /** The first thing that fits. */
  until(what, fits) {
    return new Promise((resolve) => {
      const look = () => {
        const found = this.all.find(fits);
        if (found === undefined) return;
        this.waiting = this.waiting.filter((other) => other !== look);
        resolve(found);
      };
      this.waiting.push(look);
      look();
    });
  }
}

/** Runs a script, and ends the process with what came of it. */
function run(script) {
  setTimeout(() => {
    console.error('no end after 50 s');
    process.exit(1);
  }, 50000).unref();
  script().then(
    () => process.exit(0),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
}

module.exports = { API_URL, REALTIME_URL, TOKEN, ROOM_URI, Seen, api, run };
