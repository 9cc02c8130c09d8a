// Where this person writes: a new message, a reply in a thread, or another text for a message.

export class Composer {
  #form = document.getElementById('composer');
  #text = document.getElementById('text');
  #problem = document.getElementById('problem');
  #mode = document.getElementById('mode');
  #target;

  /**
   * `commands` has `post(message)`, `edit(id, text)`, which may throw, and `newestOwn()`.
   */
  constructor(person, commands) {
    this.#text.placeholder = `Write as ${person.displayName}: Markdown, /me, Shift+Enter for a new line`;
    this.#form.onsubmit = (event) => {
      event.preventDefault();
      this.#submit(person, commands);
    };
    this.#text.onkeydown = (event) => this.#key(event, commands);
    document.getElementById('cancel').onclick = () => this.#begin();
  }

  /** The next text goes into the thread of a message. */
  reply(message) {
    this.#begin({ parentId: message.parentId ?? message.id }, `In the thread of ${name(message)}`);
  }

  /** The next text replaces that of a message. */
  edit(message) {
    this.#begin({ id: message.id }, 'Editing your message', message.text);
  }

  /** Says what went wrong, until something goes well. */
  complain(what, error) {
    this.#problem.textContent = `${what}: ${error.message}`;
    this.#problem.hidden = false;
  }

  #begin(target, label, text = '') {
    this.#target = target;
    this.#mode.hidden = !target;
    document.getElementById('mode-text').textContent = label ?? '';
    this.#text.value = text;
    this.#problem.hidden = true;
    this.#text.focus();
  }

  #key(event, commands) {
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.#form.requestSubmit();
    } else if (event.key === 'Escape' && this.#target) {
      this.#begin();
    } else if (event.key === 'ArrowUp' && !this.#text.value && !this.#target) {
      const message = commands.newestOwn();
      if (message) {
        event.preventDefault();
        this.edit(message);
      }
    }
  }

  async #submit(person, commands) {
    const text = this.#text.value;
    if (!text.trim()) return;
    const target = this.#target;
    try {
      this.#form.inert = true;
      if (target?.id) await commands.edit(target.id, text);
      else await commands.post({ ...statusOf(text, person), ...target });
      this.#begin();
    } catch (error) {
      this.complain('Not sent', error);
    } finally {
      this.#form.inert = false;
      this.#text.focus();
    }
  }
}

/** As Gitter's own client does with `/me`: the own mention, and a mark. */
function statusOf(text, person) {
  const [, action] = /^\/me\s+(.+)$/s.exec(text) ?? [];
  return action ? { text: `@${person.username} ${action}`, status: true } : { text };
}

function name(message) {
  return message.fromUser?.displayName ?? 'a former user';
}
