// Uses the status page of a bridge on which five messages have failed: without scripts, and with them while it changes.
'use strict';

const { PAGE, TOKEN, check, login, run } = require('./browser.js');

/** A message of the table of failed ones: its form, by its place. */
const retry = (page, at) => page.getByRole('button', { name: /^Retry/ }).nth(at);

/** All that can be done with a page can be done without its scripts. */
async function withoutScripts(browser) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await login(page);
  check((await page.locator('table.rooms tbody tr').count()) === 100, 'all rooms are there');
  check(await page.getByText('Not live').isVisible(), 'it says that it does not change by itself');
  check(!(await page.getByRole('button', { name: 'Pause' }).isVisible()), 'what needs scripts is not there');

  await page.getByLabel('Find rooms').fill('lighthouse-01');
  await page.getByRole('button', { name: 'Find' }).click();
  check((await page.locator('table.rooms tbody tr').count()) === 1, 'one room is found');
  await page.getByRole('link', { name: 'Show all' }).click();

  check((await page.getByRole('button', { name: /^Retry/ }).count()) === 5, 'five have failed');
  await retry(page, 0).click();
  await page.getByText('The message is tried again now.').waitFor();
  await page.getByRole('link', { name: /^Drop/ }).first().click();
  await page.getByRole('link', { name: 'Keep it' }).click();
  await page.getByRole('link', { name: /^Drop/ }).first().click();
  await page.getByRole('button', { name: 'Drop it' }).click();
  await page.getByText('The message was dropped').waitFor();
  check((await page.getByRole('button', { name: /^Retry/ }).count()) === 3, 'three are left');

  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('Admin token').waitFor();
  await page.goto(PAGE);
  check(page.url().endsWith('/login'), 'it is logged out');
  await context.close();
}

/** Lets an item be dropped by somebody else. */
async function dropElsewhere(id) {
  const answer = await fetch(`${PAGE}_matrix/provision/v1/items/${id}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  check(answer.status === 204, `dropping ${id}: ${answer.status}`);
}

const active = (page) => page.evaluate(() => document.activeElement.id);

/** Changes come by themselves, and disturb nobody. */
async function withScripts(browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await login(page);
  await page.locator('#live[data-state="on"]').waitFor();
  const ids = await page.locator('table.failed input[name="item"]').evaluateAll((all) => all.map((one) => one.value));
  check(ids.length === 3, `three have failed, not ${ids.length}`);

  // The focus stays where it is, and what was opened stays open, while a row beside goes.
  await page.locator('#recent-numbers summary').click();
  await page.locator(`[id="retry-${ids[1]}"]`).focus();
  await dropElsewhere(ids[0]);
  await page.locator(`[id="retry-${ids[0]}"]`).waitFor({ state: 'detached' });
  check((await active(page)) === `retry-${ids[1]}`, `the focus went to ${await active(page)}`);
  check(await page.locator('#recent-numbers').evaluate((one) => one.open), 'what was opened is closed');

  // Where its own row goes, the focus is near.
  await dropElsewhere(ids[1]);
  await page.locator(`[id="retry-${ids[1]}"]`).waitFor({ state: 'detached' });
  check((await active(page)) === 'failed-title', `the focus went to ${await active(page)}`);

  // Paused means paused.
  const pause = page.getByRole('button', { name: 'Pause' });
  await pause.click();
  check((await page.locator('#live').getAttribute('data-state')) === 'off', 'it is paused');
  await dropElsewhere(ids[2]);
  const other = await context.newPage();
  await other.goto(PAGE);
  await other.locator('#live[data-state="on"]').waitFor();
  await other.getByText('Nothing has failed.').waitFor();
  await other.close();
  check((await page.locator(`[id="retry-${ids[2]}"]`).count()) === 1, 'nothing changes while it is paused');
  await pause.click();
  await page.locator(`[id="retry-${ids[2]}"]`).waitFor({ state: 'detached' });
  await page.getByText('Nothing has failed.').waitFor();
  await context.close();
}

/** A stream that is refused for a while comes back by itself; without a session it does not. */
async function refused(browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await new Promise((resolve, reject) => {
    let refusals = 0;
    page
      .route('**/events*', async (route) => {
        await route.fulfill({ status: 503 });
        refusals += 1;
        if (refusals === 2) resolve();
      })
      .then(() => login(page))
      .catch(reject);
  });
  check(await page.getByText('Not live').isVisible(), 'it says that it is not live');
  await page.unroute('**/events*');
  await page.locator('#live[data-state="on"]').waitFor();

  await context.clearCookies();
  const pause = page.getByRole('button', { name: 'Pause' });
  await pause.click();
  await pause.click();
  await page.getByText('Logged out').waitFor();
  await context.close();
}

run(async (browser) => {
  await withoutScripts(browser);
  await withScripts(browser);
  await refused(browser);
});
