// Gitter's own renderer, asked one text after another: a line of JSON in; `{ "html", "ms" }`, with the milliseconds of
// the processor that it took, or `{ "error" }`, as a line of JSON out.
'use strict';

const render = require('gitter-markdown-processor/lib/process-chat');

function answer(text) {
  const before = process.cpuUsage();
  try {
    const { html } = render(text);
    return { html, ms: Math.round(process.cpuUsage(before).user / 1000) };
  } catch (error) {
    return { error: String(error) };
  }
}

require('readline')
  .createInterface({ input: process.stdin })
  .on('line', (line) => process.stdout.write(`${JSON.stringify(answer(JSON.parse(line)))}\n`));
