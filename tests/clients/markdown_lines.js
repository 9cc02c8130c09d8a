// Gitter's own renderer, asked one text after another: a line of JSON in; its html, or `{ "error" }`, as a line of
// JSON out.
'use strict';

const render = require('gitter-markdown-processor/lib/process-chat');

function answer(text) {
  try {
    return render(text).html;
  } catch (error) {
    return { error: String(error) };
  }
}

require('readline')
  .createInterface({ input: process.stdin })
  .on('line', (line) => process.stdout.write(`${JSON.stringify(answer(JSON.parse(line)))}\n`));
