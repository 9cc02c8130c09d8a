// The sandbox's page in a browser: a room live, as two people who write, reply, edit and delete.
'use strict';

const assert = require('assert');
const { launch } = require('./browser.js');
const { API_URL, ROOM_URI, TOKEN, api, run } = require('./common.js');

const site = new URL('/', API_URL).href;

run(async () => {
  const browser = await launch();
  const problems = [];
  const open = async (person) => {
    const page = await browser.newPage();
    page.setDefaultTimeout(15000);
    page.on('pageerror', (error) => problems.push(error.message));
    await page.goto(`${site}${ROOM_URI}?as=${person}`);
    await page.waitForSelector('#connection.live');
    return page;
  };
  const [wren, kelp] = [await open('wren'), await open('kelp')];
  const say = async (page, text) => {
    await page.fill('#text', text);
    await page.press('#text', 'Enter');
  };
  const message = (page, text) => page.locator('li.message', { hasText: text }).last();

  // What one writes the other sees, as Gitter draws it.
  await say(wren, 'hello *there*, see `code`');
  const seen = message(kelp, 'hello there');
  await seen.waitFor();
  assert.strictEqual(await seen.locator('em').textContent(), 'there');
  assert.strictEqual(await seen.locator('code').textContent(), 'code');
  assert.match(await seen.locator('.head b').textContent(), /Wren/);
  assert.strictEqual(await seen.locator('button.edit').count(), 0, 'only its author edits a message');

  await say(wren, '/me waves');
  await message(kelp, 'waves').waitFor();
  assert.ok(await message(kelp, 'waves').evaluate((item) => item.classList.contains('status')));

  // A reply, in its thread on both pages.
  await seen.hover();
  await seen.locator('button.reply').first().click();
  await say(kelp, 'hello back');
  await wren.locator('ol.thread li.message', { hasText: 'hello back' }).waitFor();

  // An edit and a deletion, live.
  await wren.fill('#text', '');
  await say(wren, 'a mistak');
  const mistake = message(wren, 'a mistak');
  await mistake.hover();
  await mistake.locator('button.edit').click();
  await say(wren, 'a mistake no more');
  const mended = message(kelp, 'a mistake no more');
  await mended.waitFor();
  await mended.locator('.edited').waitFor();
  await message(wren, 'a mistake no more').hover();
  await message(wren, 'a mistake no more').locator('button.delete').click();
  await mended.waitFor({ state: 'detached' });

  // Somebody from Matrix, with the flair that leads to them.
  const room = await api('POST', '/rooms', { uri: ROOM_URI });
  await api('POST', `/rooms/${room.id}/chatMessages`, {
    text: 'Ahoy from Matrix! <b>not bold</b>',
    virtualUser: { type: 'matrix', externalId: 'ana:example.org', displayName: 'Ana' },
  });
  const bridged = message(wren, 'Ahoy from Matrix');
  await bridged.waitFor();
  assert.strictEqual(await bridged.locator('a.flair').textContent(), '[m]');
  assert.match(await bridged.locator('a.flair').getAttribute('href'), /^https:\/\/matrix\.to\/#\/@ana/);
  assert.match(await bridged.locator('.text').textContent(), /<b>not bold<\/b>/);

  await browser.close();
  assert.deepStrictEqual(problems, []);
});
