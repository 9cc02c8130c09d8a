// What the sandbox's page shows of a room: the texts of its messages, one JSON array, in its order. With
// `PICTURE`, the page is also kept there.
'use strict';

const { launch } = require('./browser.js');
const { API_URL, ROOM_URI, run } = require('./common.js');

run(async () => {
  const browser = await launch();
  const page = await browser.newPage({ viewport: { width: 1000, height: 1100 } });
  await page.goto(`${new URL('/', API_URL).href}${ROOM_URI}?as=kelp`);
  await page.waitForSelector('#connection.live');
  await page.locator('li.message .text').first().waitFor();
  const texts = await page.locator('li.message .text').allInnerTexts();
  // Pictures of either side are drawn, without a login.
  await page.waitForFunction(() => [...document.images].every((image) => image.complete));
  const broken = await page.evaluate(() =>
    [...document.images].filter((image) => image.naturalWidth === 0).map((image) => image.src),
  );
  if (broken.length > 0) throw new Error(`pictures that cannot be shown: ${broken}`);
  if (process.env.PICTURE) await page.screenshot({ path: process.env.PICTURE, fullPage: true });
  await browser.close();
  process.stdout.write(`${JSON.stringify(texts)}\n`);
});
