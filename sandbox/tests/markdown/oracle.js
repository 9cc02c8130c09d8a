// Writes corpus.json: what Gitter's own renderer makes of each of texts.json.
// In a folder with gitter-markdown-processor 21.0.0: node <path of this file> > corpus.json
'use strict';
const path = require('path');
const { createRequire } = require('module');
const here = createRequire(path.join(process.cwd(), 'x.js'));
const process_chat = here('gitter-markdown-processor/lib/process-chat');
const rows = require('./texts.json').map((text) => {
  const { html, urls, mentions, issues } = process_chat(text);
  return { text, html, urls, mentions, issues };
});
console.log('[\n' + rows.map((row) => JSON.stringify(row)).join(',\n') + '\n]');
