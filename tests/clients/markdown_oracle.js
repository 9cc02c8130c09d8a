// Gitter's own renderer: a JSON array of texts on stdin, and what it makes of each on stdout, a line a text.
'use strict';

const render = require('gitter-markdown-processor/lib/process-chat');

const chunks = [];
process.stdin.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
  const texts = JSON.parse(Buffer.concat(chunks).toString());
  const rows = texts.map((text) => {
    const { html, urls, mentions, issues } = render(text);
    return JSON.stringify({ text, html, urls, mentions, issues });
  });
  process.stdout.write(`[\n${rows.join(',\n')}\n]\n`);
});
