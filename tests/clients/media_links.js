// What readers of the sandbox's page get of files from Matrix: each link of the room, as it stands on the page, is
// opened in a browser that knows nobody. With `COUNT`, waits for so many links on the page; with `LINKS`, a JSON
// array, opens those. Prints one JSON array.
'use strict';

const { createHash } = require('crypto');
const { readFile } = require('fs/promises');
const { launch } = require('./browser.js');
const { API_URL, ROOM_URI, run } = require('./common.js');

/** The links of the page to files from Matrix, in its order, with their words or the names of their pictures. */
async function shown(browser, count) {
  const page = await browser.newPage();
  await page.goto(`${new URL('/', API_URL).href}${ROOM_URI}?as=kelp`);
  const links = page.locator('li.message .text a[href*="/media/"]');
  await links.nth(count - 1).waitFor();
  const found = await links.evaluateAll((all) =>
    all.map((link) => ({ href: link.href, name: link.querySelector('img')?.alt ?? link.textContent })),
  );
  await page.close();
  return found;
}

/** Follows a link as a click does: it is shown, or saved. */
async function follow(browser, href) {
  const context = await browser.newContext({ acceptDownloads: true });
  const page = await context.newPage();
  const download = page.waitForEvent('download').catch(() => undefined);
  try {
    const answer = await page.goto(href, { waitUntil: 'commit' });
    const words = answer.ok() ? '' : await page.locator('body').innerText();
    // Chromium shows pictures and films in a document of its own.
    const drawn = answer.ok() && /^(image|video)/.test(answer.headers()['content-type']);
    const kind = drawn ? await page.locator('img, video').first().evaluate((it) => it.localName) : 'page';
    return { opened: kind, status: answer.status(), words };
  } catch (error) {
    if (!/Download is starting|ERR_ABORTED/.test(error.message)) throw error;
    const saved = await download;
    const bytes = await readFile(await saved.path());
    return { opened: 'saved', status: 200, words: '', saved: saved.suggestedFilename(), sha256: digest(bytes) };
  } finally {
    await context.close();
  }
}

/** The bytes behind a link, as Chromium gets them; policies are off, since none lets a page fetch. */
async function fetched(browser, href) {
  const context = await browser.newContext({ bypassCSP: true });
  const page = await context.newPage();
  await page.goto(new URL('none', href).href);
  const sha256 = await page.evaluate(async (href) => {
    const bytes = await (await fetch(href, { cache: 'no-store' })).arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  }, href);
  await context.close();
  return sha256;
}

function digest(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

run(async () => {
  const browser = await launch();
  const { COUNT, LINKS } = process.env;
  const links = LINKS ? JSON.parse(LINKS).map((href) => ({ href, name: '' })) : await shown(browser, Number(COUNT));
  const found = [];
  for (const link of links) {
    const opened = await follow(browser, link.href);
    const sha256 = opened.sha256 ?? (opened.status === 200 ? await fetched(browser, link.href) : '');
    found.push({ ...link, saved: '', ...opened, sha256 });
  }
  await browser.close();
  process.stdout.write(`${JSON.stringify(found)}\n`);
});
