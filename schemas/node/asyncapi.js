// Has the official parser judge an AsyncAPI document, and writes what it read of
// it as JSON. Usage: node asyncapi.js <file>
'use strict';

const { Parser, fromFile } = require('@asyncapi/parser');

async function main(file) {
  const { document, diagnostics } = await fromFile(new Parser(), file).parse();
  for (const d of diagnostics) {
    console.error(`${['error', 'warning', 'info', 'hint'][d.severity]} ${d.path.join('/')}: ${d.message}`);
  }
  if (!document || diagnostics.some((d) => d.severity < 2)) {
    process.exitCode = 1;
    return;
  }
  console.log(JSON.stringify({
    version: document.version(),
    remarks: diagnostics.map((d) => d.message),
    channels: document.channels().all().map((c) => ({
      address: c.address(),
      parameters: c.parameters().all().map((p) => p.id()),
      messages: c.messages().all().map((m) => ({
        name: m.name(), schema: m.payload().json().$id, headers: m.headers().json().required, examples: m.examples().all().length,
      })),
    })),
    operations: document.operations().all().map((o) => o.action()),
  }));
}

main(process.argv[2]);
