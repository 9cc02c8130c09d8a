// The messages of a room in the order of their ids, replies below what they reply to.

import { messageElement } from './message.js';

/** Messages of one person within this time stand below one name. */
const BURST = 5 * 60 * 1000;

export class Timeline {
  #list;
  #scroll;
  #actions;
  #messages = new Map();
  #atEnd = true;

  /** `actions(message)` gives the buttons of a message. */
  constructor(list, scroll, actions) {
    this.#list = list;
    this.#scroll = scroll;
    this.#actions = actions;
    scroll.onscroll = () => {
      this.#atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 80;
    };
    // Pictures get their height when they have come. Their `load` does not bubble, but it can be captured.
    scroll.addEventListener('load', () => this.#follow(this.#atEnd), true);
  }

  get size() {
    return this.#messages.size;
  }

  get oldest() {
    return [...this.#messages.keys()].sort()[0];
  }

  has(id) {
    return this.#messages.has(id);
  }

  /** The newest message that passes a test. */
  newest(test) {
    const ids = [...this.#messages.keys()].sort().reverse();
    return ids.map((id) => this.#messages.get(id)).find(test);
  }

  /** Replaces everything, as after a reconnection. */
  reset(messages) {
    this.#messages.clear();
    this.#list.replaceChildren();
    this.add(messages);
    this.#follow(true);
  }

  /** Adds messages or changes those that are there. The view stays at its end if it was there. */
  add(messages) {
    const atEnd = this.#atEnd;
    for (const message of messages) this.#put(message);
    // Replies may have come before what they reply to.
    for (const stray of this.#list.querySelectorAll(':scope > .stray')) this.#place(stray);
    this.#mark(this.#list);
    for (const thread of this.#list.querySelectorAll('.thread')) this.#mark(thread);
    this.#follow(atEnd);
  }

  /** Takes a message away. */
  remove(id) {
    this.#messages.delete(id);
    document.getElementById(`message-${id}`)?.remove();
    this.add([]);
  }

  /** Adds messages above, and keeps what is read in its place. */
  prepend(messages) {
    const before = this.#scroll.scrollHeight;
    this.add(messages);
    this.#scroll.scrollTop += this.#scroll.scrollHeight - before;
  }

  /** Scrolls to a message and marks it; whether it is there. */
  show(id) {
    const item = document.getElementById(`message-${id}`);
    for (const other of this.#list.querySelectorAll('.shown')) other.classList.remove('shown');
    item?.classList.add('shown');
    item?.scrollIntoView({ block: 'center' });
    return Boolean(item);
  }

  #follow(atEnd) {
    if (atEnd) this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  #put(message) {
    const known = this.#messages.get(message.id);
    if (known && known.v > message.v) return;
    this.#messages.set(message.id, message);
    const item = messageElement(message, this.#actions(message));
    const shown = document.getElementById(item.id);
    if (!shown) {
      this.#place(item);
      return;
    }
    // The thread stays: what is written or read in it is not disturbed.
    shown.className = `${item.className}${shown.classList.contains('shown') ? ' shown' : ''}`;
    shown.firstElementChild.replaceWith(item.firstElementChild);
  }

  #place(item) {
    const { parentId } = this.#messages.get(item.id.replace('message-', ''));
    const parent = parentId && document.getElementById(`message-${parentId}`);
    item.classList.toggle('stray', Boolean(parentId) && !parent);
    const list = parent ? parent.querySelector('.thread') : this.#list;
    const next = [...list.children].reverse().find((other) => other.id < item.id);
    if (next) next.after(item);
    else list.prepend(item);
  }

  /** Marks what continues a burst of the same person. */
  #mark(list) {
    let last;
    for (const item of list.children) {
      const quick = last && new Date(item.dataset.sent) - new Date(last.dataset.sent) < BURST;
      const plain = last && [last, item].every((one) => !one.matches('.status, .deleted, .stray'));
      const threadless = last && !last.querySelector('.thread > .message');
      const same = last?.dataset.author === item.dataset.author;
      item.classList.toggle('continued', Boolean(quick && plain && same && threadless));
      last = item;
    }
  }
}
