// Takes the pictures: `node shoot.js <folder>`, with what to show in the environment: CHROMIUM, HOMESERVER, MATRIX_ROOM,
// MATRIX_USER, MATRIX_PASSWORD, GITTER_ROOM (an address) and PICTURES (where to).
'use strict';

const fs = require('fs');
const http = require('http');
const path = require('path');
const esbuild = require('esbuild');
const { chromium } = require('playwright-core');

const folder = process.argv[2];
const { env } = process;
const site = path.join(folder, 'site');
const viewport = { width: 620, height: 1200 };
const TYPES = { '.css': 'text/css', '.html': 'text/html', '.js': 'text/javascript', '.svg': 'image/svg+xml', '.wasm': 'application/wasm' };

/** Bundles the Matrix client. */
async function build() {
  const asFiles = ['.svg', '.woff', '.woff2', '.png', '.ttf'].map((type) => [type, 'file']);
  await esbuild.build({
    entryPoints: [path.join(__dirname, 'client.js')],
    nodePaths: [path.join(folder, 'node_modules')],
    outdir: site,
    bundle: true,
    format: 'esm',
    logLevel: 'error',
    external: ['crypto', 'fs', 'path'],
    define: { global: 'window', 'process.env.NODE_ENV': '"production"' },
    loader: Object.fromEntries(asFiles),
  });
  fs.copyFileSync(path.join(__dirname, 'index.html'), path.join(site, 'index.html'));
  for (const name of ['olm.js', 'olm.wasm']) {
    fs.copyFileSync(path.join(folder, 'node_modules/@matrix-org/olm', name), path.join(site, name));
  }
}

/** Serves the bundle on this machine. */
function serve() {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const file = path.join(site, path.basename(pathname) || 'index.html');
    fs.readFile(file, (error, content) => {
      if (!error) response.setHeader('content-type', TYPES[path.extname(file)] ?? 'application/octet-stream');
      response.writeHead(error ? 404 : 200).end(content);
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

async function matrix(browser, address) {
  const page = await browser.newPage({ viewport });
  // The client signs all its requests but those for media.
  let authorization;
  page.on('request', (request) => {
    authorization = request.headers().authorization ?? authorization;
  });
  await page.route('**/_matrix/client/v1/media/**', async (route, request) => {
    const headers = { ...request.headers(), authorization };
    await route.fulfill({ response: await route.fetch({ headers }) });
  });
  const room = { homeserver: env.HOMESERVER, user: env.MATRIX_USER, password: env.MATRIX_PASSWORD, room: env.MATRIX_ROOM };
  await page.goto(`${address}/#${new URLSearchParams(room)}`);
  await page.waitForSelector('body[data-ready], body[data-failed]');
  const failed = await page.evaluate(() => document.body.dataset.failed);
  if (failed) throw new Error(failed);
  await settled(page, '.Timeline_scroller');
  await page.screenshot({ path: path.join(env.PICTURES, 'matrix.png') });
}

async function gitter(browser) {
  const page = await browser.newPage({ viewport });
  await page.goto(`${env.GITTER_ROOM}?as=wren`);
  await page.waitForSelector('#connection.live');
  await settled(page, '#scroll');
  await page.screenshot({ path: path.join(env.PICTURES, 'gitter.png') });
}

/** Waits until a timeline grows no more and its pictures are there, and shows its end. */
async function settled(page, timeline) {
  await page.waitForFunction((selector) => {
    const scroller = document.querySelector(selector);
    const same = scroller && scroller.scrollHeight === window.lastHeight && scroller.innerText.includes('Fair winds');
    window.lastHeight = scroller?.scrollHeight;
    return same && [...document.images].every((image) => image.complete);
  }, timeline, { polling: 500 });
  // The client itself may scroll once more.
  await page.waitForFunction((selector) => {
    const scroller = document.querySelector(selector);
    const atEnd = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop < 2;
    scroller.scrollTop = scroller.scrollHeight;
    return atEnd;
  }, timeline, { polling: 500 });
}

async function run() {
  await build();
  const server = await serve();
  const browser = await chromium.launch({
    executablePath: env.CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  await matrix(browser, `http://127.0.0.1:${server.address().port}`);
  await gitter(browser);
  await browser.close();
  server.close();
}

run().catch((error) => {
  console.error(error);
  process.exit(1);
});
