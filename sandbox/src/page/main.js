// Puts the page together: who this person is, which rooms there are, and one room live.

import { Api, directory } from './api.js';
import { follow } from './bayeux.js';
import { Composer } from './composer.js';
import { element } from './message.js';
import { Timeline } from './timeline.js';

/** How many pages of older messages a permalink is looked for in. */
const PAGES_BACK = 50;
const PERSON = 'person';

const at = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);

async function start() {
  const { rooms, people } = await directory();
  const person = choosePerson(people);
  const here = decodeURIComponent(location.pathname.slice(1)).toLowerCase();
  at('rooms').append(...rooms.map((room) => element('li', {}, roomLink(room, here))));
  if (here) {
    await openRoom(here, person);
  } else {
    at('cards').append(...rooms.map((room) => element('li', {}, card(room))));
    at('welcome').hidden = false;
  }
}

/** Who this is: as the address says (`?as=`), as chosen before, or the first. */
function choosePerson(people) {
  const names = [query.get('as'), localStorage.getItem(PERSON)];
  const person = names.map((name) => people.find(({ username }) => username === name)).find(Boolean) ?? people[0];
  if (!person) throw new Error('nobody has an account here');
  const select = at('person');
  select.append(...people.map(({ username, displayName }) => new Option(displayName, username)));
  select.value = person.username;
  select.onchange = () => {
    localStorage.setItem(PERSON, select.value);
    query.delete('as');
    location.search = query;
  };
  return person;
}

function roomLink(room, here) {
  const link = element('a', { href: `/${room.uri}`, textContent: room.uri });
  if (!room.public) link.append(element('span', { className: 'private', textContent: 'private' }));
  if (room.uri.toLowerCase() === here) link.ariaCurrent = 'page';
  return link;
}

function card(room) {
  return element(
    'a',
    { href: `/${room.uri}`, className: 'card' },
    element('img', { src: room.avatarUrl, alt: '', width: 40, height: 40 }),
    element('b', { textContent: room.uri }),
    element('span', { textContent: room.public ? room.topic : `${room.topic} (private)` }),
  );
}

async function openRoom(uri, person) {
  const api = new Api(person.token);
  const room = await api.room(uri).catch((error) => {
    throw new Error(`${person.displayName} may not read this room (${error.message})`);
  });
  showHeader(room);
  at('room').hidden = false;

  const mayDelete = (message) => isOwn(message, person) || room.permissions?.admin;
  const timeline = new Timeline(at('timeline'), at('scroll'), (message) => [
    { name: 'reply', label: 'Reply', run: () => composer.reply(message) },
    ...(isOwn(message, person) ? [{ name: 'edit', label: 'Edit', run: () => composer.edit(message) }] : []),
    ...(mayDelete(message) ? [{ name: 'delete', label: 'Delete', run: () => remove(message) }] : []),
    { name: 'link', label: 'Link', run: () => link(message) },
  ]);
  const composer = new Composer(person, {
    post: (message) => api.post(room.id, message),
    edit: (id, text) => api.edit(room.id, id, text),
    newestOwn: () => timeline.newest((message) => isOwn(message, person) && message.text),
  });
  const remove = (message) =>
    api.remove(room.id, message.id).catch((error) => composer.complain('Not deleted', error));
  const link = (message) => {
    query.set('at', message.id);
    history.replaceState(null, '', `?${query}`);
    timeline.show(message.id);
  };

  const older = async () => {
    const messages = await api.before(room.id, timeline.oldest);
    timeline.prepend(messages);
    at('older').hidden = messages.length < 100;
    return messages.length > 0;
  };
  at('older').onclick = () => older().catch((error) => composer.complain('Nothing older came', error));
  follow(person.token, room.id, listener(timeline, older, composer));
}

/** What news and snapshots do to the page. */
function listener(timeline, older, composer) {
  let permalink = query.get('at');
  const changed = () => {
    at('empty').hidden = timeline.size > 0;
  };
  return {
    snapshot(messages) {
      timeline.reset(messages);
      at('older').hidden = messages.length < 100;
      changed();
      if (permalink) find(timeline, older, permalink).catch((error) => composer.complain('Not found', error));
      permalink = undefined;
    },
    news(operation, model) {
      if (operation === 'create' || operation === 'update') timeline.add([model]);
      if (operation === 'remove') timeline.remove(model.id);
      changed();
    },
    connected(is) {
      at('connection').textContent = is ? 'live' : 'connecting';
      at('connection').classList.toggle('live', is);
    },
  };
}

/** Shows the message of a permalink, reading back to it. */
async function find(timeline, older, id) {
  for (let page = 0; page < PAGES_BACK && !timeline.has(id); page += 1) {
    if (!timeline.oldest || timeline.oldest < id || !(await older())) break;
  }
  if (!timeline.show(id)) throw new Error('the message of this link is not here');
}

function isOwn(message, person) {
  return message.fromUser?.id === person.id && !message.virtualUser;
}

function showHeader(room) {
  document.title = room.name;
  at('room-name').textContent = room.name;
  at('room-topic').textContent = room.topic;
  at('room-picture').src = room.avatarUrl;
}

start().catch((error) => {
  at('failure').textContent = error.message;
  at('failure').hidden = false;
});
