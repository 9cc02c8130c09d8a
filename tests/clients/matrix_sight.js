// What a client of matrix-js-sdk shows to its person: messages with their edits, redactions and threads, who is in a
// room, and the room's state. Nothing here asks the homeserver for more than a client does that scrolls back.
'use strict';

const LOOK_AGAIN = 50;

/** One message, as it is shown. */
function described(client, room, event) {
  const content = event.getContent();
  return {
    event: event.getId(),
    sender: event.getSender(),
    name: room.getMember(event.getSender())?.name ?? null,
    body: content.body ?? null,
    html: content.formatted_body ?? null,
    msgtype: content.msgtype ?? null,
    redacted: event.isRedacted(),
    edited: Boolean(event.replacingEventId()),
    thread: event.threadRootId ?? null,
    reply_to: event.replyEventId ?? null,
    highlight: client.getPushActionsForEvent(event)?.tweaks?.highlight === true,
  };
}

/** The messages that a client has of a room, without what was not sent. */
function shown(client, id) {
  const room = client.getRoom(id);
  if (!room) return [];
  const events = [...room.getLiveTimeline().getEvents(), ...room.getThreads().flatMap((thread) => thread.events)];
  const messages = events.filter((event) => event.getType() === 'm.room.message' && !event.status);
  // A thread's first message is in both.
  const once = new Map(messages.map((event) => [event.getId(), event]));
  return [...once.values()].map((event) => described(client, room, event));
}

/** Scrolls back to the room's beginning; nothing is done where that has been done. */
async function scrollBack(client, id) {
  const room = client.getRoom(id);
  while (room?.oldState.paginationToken) await client.scrollback(room, 100);
}

/** Waits until a look finds something. At the time's end `otherwise` says what there is instead. */
async function until(look, limit, otherwise) {
  const end = Date.now() + limit;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`in vain: ${JSON.stringify(otherwise())}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  }
}

/** Whether a message is as a wish says; what the wish does not name counts for nothing. */
function fits(message, wish) {
  const same = (key, value) => wish[key] === undefined || wish[key] === value;
  return (
    same('event', message.event) &&
    same('from', message.sender) &&
    same('body', message.body) &&
    same('reply_to', message.reply_to) &&
    same('redacted', message.redacted) &&
    same('edited', message.edited) &&
    (message.body ?? '').includes(wish.text ?? '')
  );
}

function see(client, wish, limit) {
  const look = async () => {
    await scrollBack(client, wish.room);
    return shown(client, wish.room).find((message) => fits(message, wish));
  };
  return until(look, limit, () => shown(client, wish.room));
}

async function timeline(client, wish) {
  await scrollBack(client, wish.room);
  return shown(client, wish.room);
}

function members(client, id) {
  const list = client.getRoom(id)?.currentState.getMembers() ?? [];
  return list.map((member) => ({
    user: member.userId,
    membership: member.membership,
    name: member.rawDisplayName,
    reason: member.events.member?.getContent().reason ?? null,
  }));
}

function stand(client, wish, limit) {
  const look = () =>
    members(client, wish.room).find(
      ({ user, membership, name }) =>
        user === wish.user && membership === wish.membership && (wish.name ?? name) === name,
    );
  return until(look, limit, () => members(client, wish.room));
}

/** The content of a state event; null where there is none. */
function state(client, wish) {
  const event = client.getRoom(wish.room)?.currentState.getStateEvents(wish.type, wish.key ?? '');
  return event?.getContent() ?? null;
}

module.exports = { members, see, stand, state, timeline, until };
