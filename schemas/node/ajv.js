// Has ajv judge bodies by their schemas. Each line of standard input is
// {"schema": "<file name>", "name": "<of the body>", "body": {…}}, where a pointer
// may follow the file name: asyncapi.json#/components/…; each line of says of one body whether it is valid, and why not. With --mutants it judges the
// mutants of each body instead.
// Usage: node ajv.js [--mutants] <folder of schemas>
'use strict';

const fs = require('fs');
const path = require('path');
const readline = require('readline');
const Ajv = require('ajv/dist/2020');
const addFormats = require('ajv-formats');
const { mutants } = require('./mutants');

const folder = process.argv[process.argv.length - 1];
const ajv = new Ajv({ strict: true, strictRequired: false, strictTypes: false, allowUnionTypes: true, allErrors: true });
addFormats(ajv);

const known = new Map();
function schemaOf(name) {
  if (!known.has(name)) {
    const [file, pointer = ''] = name.split('#');
    const whole = JSON.parse(fs.readFileSync(path.join(folder, file), 'utf8'));
    const schema = pointer.split('/').slice(1).reduce((at, key) => at[key], whole);
    known.set(name, { schema, validate: ajv.compile(schema) });
  }
  return known.get(name);
}

function judge(line) {
  const { schema: name, name: of, body } = JSON.parse(line);
  const { schema, validate } = schemaOf(name);
  const bodies = process.argv[2] === '--mutants' ? mutants(schema, body) : [{ what: '', kind: '', body }];
  for (const one of bodies) {
    const valid = validate(one.body);
    console.log(JSON.stringify({ schema: name, name: of, ...one, valid, errors: ajv.errorsText(validate.errors) }));
  }
}

readline.createInterface({ input: process.stdin }).on('line', judge);
