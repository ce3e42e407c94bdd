// Mutants of an example: what a schema must refuse. They are made mechanically
// from the example and the schema, with no knowledge of either.
'use strict';

// One value of each JSON type, and an integer's neighbour.
const VALUES = { null: null, boolean: true, number: 7.5, string: 'a text', array: [], object: {} };

function typeOf(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value;
}

// resolve follows $ref within the file; what stands beside it holds, too.
function resolve(root, schema) {
  if (!schema || !schema.$ref) return schema;
  const target = schema.$ref.replace(/^#\//, '').split('/').reduce((at, key) => at[key], root);
  return { ...resolve(root, target), ...schema, $ref: undefined };
}

// typesOf are the types that a schema leaves for a value.
function typesOf(schema) {
  const of = (s) => ('const' in s ? [typeOf(s.const)] : [].concat(s.type || []).map((t) => (t === 'integer' ? 'number' : t)));
  return schema.oneOf ? schema.oneOf.flatMap(of) : of(schema);
}

// mutants are changed copies of the example, each with what was done to it.
function mutants(root, example) {
  const found = [];
  const add = (path, what, kind, change) => {
    const copy = structuredClone(example);
    let at = copy;
    for (const key of path.slice(0, -1)) at = at[key];
    change(at, path[path.length - 1]);
    found.push({ what: `${path.join('.')}: ${what}`, kind, body: copy });
  };
  const set = (path, what, kind, value) => add(path, what, kind, (at, key) => { at[key] = value; });

  const walk = (given, value, path) => {
    const schema = resolve(root, given);
    if (!schema) throw new Error(`${path.join('.')} is not in the schema`);
    if (path.length > 0) {
      const types = typesOf(schema);
      for (const [type, other] of Object.entries(VALUES)) {
        if (type !== typeOf(value) && !types.includes(type)) set(path, `${type}, was ${typeOf(value)}`, 'type', other);
      }
      if (schema.type === 'integer') set(path, 'not whole', 'type', value + 0.5);
      const words = 'const' in schema ? [schema.const] : schema.enum;
      if (words || schema.oneOf) {
        set(path, 'left the list', 'enumeration', 'left-the-list');
        if (typeof value === 'string') set(path, 'in capitals', 'enumeration', value.toUpperCase());
      }
      if (schema.format === 'date-time') {
        set(path, 'no time', 'limit', '14 April 2026');
        set(path, 'no zone', 'limit', '2026-04-14T08:24:03');
      }
      if (schema.pattern) set(path, 'off the pattern', 'limit', 'Off The Pattern!');
      if ('minimum' in schema) set(path, 'too small', 'limit', schema.minimum - 1);
      if ('maximum' in schema) set(path, 'too large', 'limit', schema.maximum + 1);
      if (schema.minLength) set(path, 'too short', 'limit', '');
    }
    if (typeOf(value) === 'object') {
      for (const key of schema.required || []) add([...path, key], 'removed', 'required', (at, k) => { delete at[k]; });
      if (schema.anyOf) {
        const copy = structuredClone(example);
        for (const one of schema.anyOf) for (const key of one.required) delete copy[key];
        found.push({ what: `${schema.anyOf.flatMap((one) => one.required).join(' and ')}: removed`, kind: 'required', body: copy });
      }
      for (const key of Object.keys(value)) walk((schema.properties || {})[key] || schema.additionalProperties, value[key], [...path, key]);
    }
    if (typeOf(value) === 'array') value.forEach((one, i) => walk(schema.items, one, [...path, i]));
  };
  walk(root, example, []);
  return found;
}

module.exports = { mutants };
