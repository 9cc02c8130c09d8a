// Headless Chromium, driven by playwright-core; `CHROMIUM` says where it is.
'use strict';

const { chromium } = require('playwright-core');

/** Starts it, with nothing of it reaching out. */
function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

module.exports = { launch };
