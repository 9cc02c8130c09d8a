// Headless Chromium with the status page, for the scripts beside. `CHROMIUM` says where it is, `PAGE` where the page is.
'use strict';

const { chromium } = require('playwright-core');

const { CHROMIUM, PAGE, TOKEN } = process.env;

/** Starts it, with nothing of it reaching out. */
function launch() {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** Opens the login and goes through it. */
async function login(page) {
  await page.goto(PAGE);
  await page.getByLabel('Admin token').fill(TOKEN);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('heading', { level: 1 }).waitFor();
  if (page.url() !== PAGE) throw new Error(`logged in, and sent to ${page.url()}`);
}

/** Fails with a text, unless something holds. */
function check(holds, text) {
  if (!holds) throw new Error(text);
}

/** Runs a script, and ends the process with what came of it. */
function run(script) {
  setTimeout(() => {
    console.error('no end after four minutes');
    process.exit(1);
  }, 240000).unref();
  launch()
    .then(async (browser) => {
      await script(browser);
      await browser.close();
    })
    .then(
      () => process.exit(0),
      (error) => {
        console.error(error);
        process.exit(1);
      },
    );
}

module.exports = { PAGE, TOKEN, check, login, run };
