// Gitter's own renderer: a JSON array of texts on stdin, what it makes of each on stdout.
'use strict';

const render = require('gitter-markdown-processor/lib/process-chat');

const chunks = [];
process.stdin.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
  const texts = JSON.parse(Buffer.concat(chunks).toString());
  const rendered = texts.map((text) => {
    const { html, urls, mentions, issues } = render(text);
    return { html, urls, mentions, issues };
  });
  process.stdout.write(JSON.stringify(rendered));
});
