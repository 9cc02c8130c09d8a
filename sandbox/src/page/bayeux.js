// A Bayeux client: the messages of one room over one WebSocket, for as long as the page is open.
//
// Whatever goes wrong ends the socket. The next one begins with a new handshake, and its snapshot says what was
// missed.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 8000;

/**
 * Follows a room. `listener` has `snapshot(messages)`, `news(operation, model)` and `connected(boolean)`.
 */
export function follow(token, room, listener) {
  const channel = `/api/v1/rooms/${room}/chatMessages`;
  let pause = FIRST_PAUSE;

  function open() {
    const socket = new WebSocket(new URL('/bayeux', location.href.replace(/^http/, 'ws')));
    const session = new Session(socket, token, channel, listener, () => { pause = FIRST_PAUSE; });
    socket.onopen = () => session.begin();
    socket.onmessage = (event) => session.receive(JSON.parse(event.data));
    socket.onclose = () => {
      listener.connected(false);
      setTimeout(open, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    };
  }

  open();
}

class Session {
  #socket;
  #token;
  #channel;
  #listener;
  #subscribed;
  #clientId;
  #count = 0;

  constructor(socket, token, channel, listener, subscribed) {
    this.#socket = socket;
    this.#token = token;
    this.#channel = channel;
    this.#listener = listener;
    this.#subscribed = subscribed;
  }

  begin() {
    this.#send({
      channel: '/meta/handshake',
      version: '1.0',
      supportedConnectionTypes: ['websocket'],
      ext: { token: this.#token },
    });
  }

  receive(frames) {
    for (const frame of frames) {
      if (frame.successful === false) {
        this.#socket.close();
        return;
      }
      if (frame.channel === '/meta/handshake') this.#start(frame.clientId);
      else if (frame.channel === '/meta/connect') setTimeout(() => this.#connect(), frame.advice?.interval ?? 500);
      else if (frame.channel === '/meta/subscribe') this.#begun(frame.ext?.snapshot ?? []);
      else if (frame.channel === this.#channel && frame.data) this.#news(frame);
    }
  }

  #start(clientId) {
    this.#clientId = clientId;
    // Without the advice, the answer to the subscription waits as long as the connect does.
    this.#connect({ timeout: 0 });
    this.#send({
      channel: '/meta/subscribe',
      clientId,
      subscription: this.#channel,
      ext: { snapshot: { limit: 100, includeThreads: true } },
    });
  }

  #begun(messages) {
    this.#subscribed();
    this.#listener.snapshot(messages);
    this.#listener.connected(true);
  }

  /** Frames are numbered from 1: where one is missing, only a new snapshot tells what it said. */
  #news(frame) {
    this.#count += 1;
    if (frame.ext?.c !== this.#count) {
      this.#socket.close();
      return;
    }
    this.#listener.news(frame.data.operation, frame.data.model);
  }

  #connect(advice) {
    this.#send({ channel: '/meta/connect', clientId: this.#clientId, connectionType: 'websocket', advice });
  }

  #send(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify([message]));
  }
}
