// Gitter's REST API as one person, and what the sandbox tells this page besides.

/** Rooms and people: `{ rooms: [...], people: [{ id, username, displayName, ..., token }] }`. */
export async function directory() {
  return answer(await fetch('/sandbox/page/directory'));
}

export class Api {
  #token;

  constructor(token) {
    this.#token = token;
  }

  /** The room of a URI; throws where this person may not read it. */
  room(uri) {
    return this.#call('POST', 'rooms', { uri });
  }

  /** The hundred messages before an id, oldest first, replies included. */
  before(room, id) {
    return this.#call('GET', `rooms/${room}/chatMessages?limit=100&includeThreads=true&beforeId=${id}`);
  }

  message(room, id) {
    return this.#call('GET', `rooms/${room}/chatMessages/${id}`);
  }

  post(room, message) {
    return this.#call('POST', `rooms/${room}/chatMessages`, message);
  }

  edit(room, id, text) {
    return this.#call('PUT', `rooms/${room}/chatMessages/${id}`, { text });
  }

  remove(room, id) {
    return this.#call('DELETE', `rooms/${room}/chatMessages/${id}`);
  }

  async #call(method, path, body) {
    const headers = { Authorization: `Bearer ${this.#token}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    return answer(await fetch(`/api/v1/${path}`, { method, headers, body: body && JSON.stringify(body) }));
  }
}

async function answer(response) {
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return text ? JSON.parse(text) : undefined;
}
