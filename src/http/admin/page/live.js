// Keeps the status page up to date: what the server sends takes the place of the same part of the page, without moving
// the focus or closing what was opened. The page is whole without it.
'use strict';

(() => {
  const tools = document.querySelector('.tools[data-events]');
  const again = document.querySelector('[data-look-again]');
  if (again) setTimeout(() => location.reload(), Number(again.dataset.lookAgain) * 1000);
  if (!tools) return;

  const live = document.getElementById('live');
  const pause = document.getElementById('pause');
  // This computer's clock may differ from the server's.
  const ahead = Date.now() - Number(tools.dataset.now);
  const waiting = new Map();
  let source;
  let pressed = false;

  const SAID = { on: 'Live', off: 'Paused', lost: 'Not live', over: 'Logged out' };

  function say(state) {
    live.dataset.state = state === 'over' ? 'lost' : state;
    const words = live.lastElementChild;
    if (words.textContent !== SAID[state]) words.textContent = SAID[state];
  }

  // The same words as the server's.
  function span(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min`;
    if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
    return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
  }

  function tick() {
    for (const time of document.querySelectorAll('time[data-ago], time[data-age]')) {
      const passed = (Date.now() - ahead - Date.parse(time.dateTime)) / 1000;
      const since = span(passed);
      const words = 'age' in time.dataset ? since : passed < 5 ? 'just now' : `${since} ago`;
      if (time.textContent !== words) time.textContent = words;
    }
  }

  /** What has the focus, by something that its successor has, too. */
  function focused(part) {
    const active = document.activeElement;
    if (!part.contains(active)) return () => {};
    const same = active.id
      ? () => document.getElementById(active.id)
      : () => [...part.querySelectorAll('a, summary, [tabindex]')].find(
          (one) => one.tagName === active.tagName && one.getAttribute('href') === active.getAttribute('href'),
        );
    const title = part.querySelector('h1, h2');
    return () => {
      let next = same();
      if (!next) {
        // It is gone: the part's own title is nearest.
        next = part.querySelector(title ? `#${title.id}` : 'h2');
        next?.setAttribute('tabindex', '-1');
      }
      next?.focus({ preventScroll: true });
    };
  }

  function show(id, html) {
    const part = document.getElementById(id);
    if (!part) return;
    const refocus = focused(part);
    const opened = [...part.querySelectorAll('details[open]')].map((one) => one.id);
    const scrolled = [...part.querySelectorAll('.scroll')].map((one) => one.scrollLeft);
    const before = part.querySelector('[data-headline]')?.dataset.headline;
    part.innerHTML = html;
    opened.forEach((one) => document.getElementById(one)?.setAttribute('open', ''));
    [...part.querySelectorAll('.scroll')].forEach((one, at) => { one.scrollLeft = scrolled[at] ?? 0; });
    refocus();
    const headline = part.querySelector('[data-headline]');
    if (headline) announce(before, headline);
  }

  /** Only a change of the whole is worth being read out. */
  function announce(before, headline) {
    document.title = document.title.replace(/^[^–]*/, `${headline.dataset.title} `);
    if (before !== headline.dataset.headline) live.lastElementChild.textContent = `Live: ${headline.dataset.headline}`;
  }

  /** A click that has begun, or a text that is being selected, is not taken away. */
  function isBusy(id) {
    const part = document.getElementById(id);
    const selection = getSelection();
    return pressed || (selection && !selection.isCollapsed && part?.contains(selection.anchorNode));
  }

  function catchUp() {
    for (const [id, html] of waiting) {
      if (isBusy(id)) continue;
      waiting.delete(id);
      show(id, html);
    }
    tick();
  }

  function start() {
    const mine = new EventSource(tools.dataset.events);
    source = mine;
    source.onopen = () => say('on');
    source.onerror = () => {
      say('lost');
      if (mine.readyState === EventSource.CLOSED) refused(mine);
    };
    for (const id of ['summary', 'failed', 'recent', 'rooms']) {
      source.addEventListener(id, (event) => {
        waiting.set(id, JSON.parse(event.data));
        catchUp();
      });
    }
  }

  /** The browser does not ask again. Without a session nobody does; else it is asked later: the bridge may have been restarted. */
  async function refused(mine) {
    const asking = new AbortController();
    let over = false;
    try {
      const answer = await fetch(tools.dataset.events, { cache: 'no-store', redirect: 'manual', signal: asking.signal });
      over = answer.status === 401 || answer.type === 'opaqueredirect';
    } catch {
      // Nobody answers.
    }
    asking.abort();
    if (source !== mine) return;
    if (over) say('over');
    else setTimeout(() => { if (source === mine) start(); }, 5000 + Math.random() * 5000);
  }

  function stop() {
    source?.close();
    source = undefined;
    waiting.clear();
    say('off');
  }

  pause.hidden = false;
  pause.addEventListener('click', () => {
    const paused = pause.getAttribute('aria-pressed') === 'true';
    pause.setAttribute('aria-pressed', String(!paused));
    if (paused) start();
    else stop();
  });
  document.addEventListener('pointerdown', () => { pressed = true; });
  for (const name of ['pointerup', 'pointercancel', 'blur']) {
    window.addEventListener(name, () => {
      pressed = false;
      // The click comes first.
      setTimeout(catchUp, 50);
    });
  }
  addEventListener('pagehide', () => source?.close());
  addEventListener('pageshow', (event) => { if (event.persisted && pause.getAttribute('aria-pressed') !== 'true') start(); });

  // What was just done is said once, not after each refresh.
  const address = new URL(location.href);
  if (address.searchParams.has('done')) {
    address.searchParams.delete('done');
    history.replaceState(null, '', address);
  }
  setInterval(catchUp, 1000);
  start();
})();
