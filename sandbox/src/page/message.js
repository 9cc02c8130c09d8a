// One message as Gitter draws it.
//
// Text comes in through `textContent`; html only where the server rendered it.

const HUES = 12;

/** Makes an element; `properties` are set on it, `children` are elements, texts or nothing. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** Somebody's picture, or their initials where there is none or it cannot be loaded. */
export function picture(user) {
  const box = element('span', { className: 'picture', ariaHidden: 'true' });
  const name = user?.displayName || user?.username || '?';
  const initials = element('span', { textContent: [...name][0].toUpperCase() });
  box.dataset.hue = [...(user?.username ?? '')].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % HUES, 0);
  const source = user?.avatarUrlSmall ?? user?.avatarUrl;
  if (source) {
    const image = element('img', { src: source, alt: '', width: 36, height: 36 });
    image.onerror = () => image.replaceWith(initials);
    box.append(image);
  } else {
    box.append(initials);
  }
  return box;
}

/**
 * A message. `actions` is `[{ name, label, run }]`: the buttons for what this person may do with it.
 */
export function messageElement(message, actions) {
  const user = message.fromUser;
  const deleted = !message.text && !message.html;
  const body = element('div', { className: 'body' });
  if (message.status && !deleted) {
    body.append(statusLine(message));
  } else {
    body.append(headLine(message), deleted ? tombstone() : text(message.html));
  }
  const item = element('li', { className: 'message', id: `message-${message.id}` });
  item.dataset.author = user?.id ?? '';
  item.dataset.sent = message.sent;
  item.classList.toggle('status', Boolean(message.status));
  item.classList.toggle('deleted', deleted);
  const buttons = deleted ? [] : actions.map(actionButton);
  item.append(
    element('article', {}, picture(user), body, element('div', { className: 'actions' }, ...buttons)),
    element('ol', { className: 'thread', ariaLabel: 'Thread' }),
  );
  return item;
}

function headLine(message) {
  const user = message.fromUser;
  return element(
    'p',
    { className: 'head' },
    element('b', { textContent: user?.displayName ?? 'former user' }),
    flair(message.virtualUser),
    element('span', { className: 'username', textContent: user ? `@${user.username}` : '' }),
    time(message),
  );
}

/** Gitter puts the user name before a `/me` line, and no flair. The text itself begins with it only by chance. */
function statusLine(message) {
  const line = element('p', { className: 'head' });
  const name = message.fromUser?.username ?? 'former user';
  const said = element('span', { className: 'text' });
  said.innerHTML = message.html;
  const own = said.firstElementChild;
  const named = own?.dataset.screenName === name && said.firstChild === own;
  line.append(...(named ? [] : [element('b', { textContent: name }), ' ']), said, ' ', time(message));
  return line;
}

/** The badge of people from elsewhere: `[m]` for Matrix, else the name of the kind. */
function flair(virtualUser) {
  if (!virtualUser) return undefined;
  if (virtualUser.type !== 'matrix') {
    return element('span', { className: 'flair', textContent: virtualUser.type });
  }
  return element('a', {
    className: 'flair',
    textContent: '[m]',
    title: `@${virtualUser.externalId}, on Matrix`,
    href: `https://matrix.to/#/@${encodeURIComponent(virtualUser.externalId)}?utm_source=gitter`,
    target: '_blank',
    rel: 'noopener noreferrer',
  });
}

function time(message) {
  const sent = new Date(message.sent);
  const shown = element('time', {
    dateTime: message.sent,
    title: sent.toLocaleString(),
    textContent: sent.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }),
  });
  if (!message.editedAt) return shown;
  const edited = element('span', { className: 'edited', textContent: 'edited' });
  edited.title = `edited ${new Date(message.editedAt).toLocaleString()}`;
  return element('span', { className: 'times' }, shown, ' ', edited);
}

function text(html) {
  const said = element('div', { className: 'text' });
  said.innerHTML = html;
  return said;
}

function tombstone() {
  return element('p', { className: 'text', textContent: 'This message was deleted.' });
}

function actionButton({ name, label, run }) {
  return element('button', { type: 'button', className: name, textContent: label, onclick: run });
}
