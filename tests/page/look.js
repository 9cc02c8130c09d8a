// Looks at the status page in the state that `NAME` says: in light and dark, wide and narrow. Takes pictures of it, lets
// axe-core look for what keeps people out, and fails at anything serious, and at all that the browser complains about.
'use strict';

const path = require('path');
const axe = require('axe-core');
const { PAGE, check, login, run } = require('./browser.js');

const { NAME, PICTURES } = process.env;

const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 360, height: 740 };
const LOOKS = [
  ['light', 'light', WIDE],
  ['dark', 'dark', WIDE],
  ['narrow', 'light', NARROW],
  ['narrow-dark', 'dark', NARROW],
];

async function picture(page, name, whole) {
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  const { width } = page.viewportSize();
  const clip = { x: 0, y: 0, width, height: Math.min(height, whole ? 4000 : 1600) };
  await page.screenshot({ path: path.join(PICTURES, `${name}.png`), fullPage: true, clip });
}

async function examine(page, where) {
  const faults = await page.evaluate(`${axe.source}; axe.run(document, { resultTypes: ['violations'] })`);
  const told = faults.violations.map(
    ({ id, impact, help, nodes }) => `${impact} ${id}: ${help}\n${nodes.slice(0, 3).map((node) => `    ${node.html.slice(0, 200)} ${node.failureSummary}`).join('\n')}`,
  );
  const serious = faults.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  if (told.length) console.error(`${where}: ${told.join('\n')}`);
  check(!serious.length, `${where}: ${serious.length} serious faults`);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  check(wider <= 0, `${where} is ${wider} px wider than the screen`);
}

run(async (browser) => {
  for (const [look, colorScheme, viewport] of LOOKS) {
    const context = await browser.newContext({ colorScheme, viewport, reducedMotion: 'reduce', forcedColors: 'none' });
    const page = await context.newPage();
    const complaints = [];
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    const foreign = [];
    page.on('request', (request) => request.url().startsWith(PAGE) || foreign.push(request.url()));
    if (NAME === 'empty') {
      await page.goto(PAGE);
      await examine(page, `login ${look}`);
      await picture(page, `login-${look}`);
    }
    await login(page);
    await page.locator('#live[data-state="on"]').waitFor();
    await page.locator('#recent-numbers summary').click();
    await examine(page, `${NAME} ${look}`);
    await page.locator('#recent-numbers summary').click();
    await page.evaluate(() => { document.activeElement?.blur(); scrollTo(0, 0); });
    await page.mouse.move(0, 0);
    await picture(page, `${NAME}-${look}`, viewport === NARROW);
    if (NAME === 'failing') {
      await page.getByRole('link', { name: /^Drop/ }).first().click();
      await page.getByRole('heading', { name: 'Drop this message?' }).waitFor();
      await examine(page, `drop ${look}`);
      await picture(page, `drop-${look}`);
    }
    check(!complaints.length, `${NAME} ${look}: the browser complains: ${complaints.join('\n')}`);
    check(!foreign.length, `${NAME} ${look}: asks elsewhere for ${foreign}`);
    await context.close();
  }
});
