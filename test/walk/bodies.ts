// Bodies: the same parameters in every form that a body may have, and bodies that are none.
import { parameterDecoder } from '../../src/contract/parameter.ts';
import type { Route } from '../../src/contract/route.ts';
import type { Values } from './world.ts';

export const forms = ['application/x-www-form-urlencoded', 'application/json', 'multipart/form-data'] as const;
export type Form = (typeof forms)[number];

export interface Payload {
  readonly type: string;
  readonly data: Buffer;
}

const boundary = 'walk-5d1f';
const crlf = '\r\n';

export function urlencoded(fields: Values): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) pairs.append(name, one);
  return pairs.toString();
}

/** As MAAS's clients send it: every part in base64. */
function multipart(fields: Values): Buffer {
  const parts = Object.entries(fields).flatMap(([name, value]) =>
    [value].flat().map((one) => {
      const head = [`--${boundary}`, `Content-Disposition: form-data; name="${name}"`, 'Content-Transfer-Encoding: base64'];
      return [...head, '', Buffer.from(one).toString('base64'), ''].join(crlf);
    }),
  );
  return Buffer.from(`${parts.join('')}--${boundary}--${crlf}`);
}

export function payloadOf(form: Form, fields: Values): Payload {
  if (form === 'application/json') return { type: form, data: Buffer.from(JSON.stringify(fields)) };
  if (form === 'multipart/form-data') return { type: `${form}; boundary=${boundary}`, data: multipart(fields) };
  return { type: form, data: Buffer.from(urlencoded(fields)) };
}

export interface BadBody extends Payload {
  readonly why: string;
  /** The field that the error must name; undefined: any error of the contract will do. */
  readonly field?: string;
}

const json = (why: string, text: string, field?: string): BadBody => ({
  why: `JSON: ${why}`,
  type: 'application/json',
  data: Buffer.from(text),
  ...(field === undefined ? {} : { field }),
});
const parts = (why: string, text: string): BadBody => ({
  why: `multipart: ${why}`,
  type: `multipart/form-data; boundary=${boundary}`,
  data: Buffer.from(text),
});
const form = (why: string, data: Buffer | string): BadBody => ({ why: `form: ${why}`, type: forms[0], data: Buffer.from(data as string) });

const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
const bodiless: readonly BadBody[] = [
  { why: 'another type', type: 'text/xml', data: Buffer.from('<a/>') },
  json('a list', '[]'),
  json('a word', '"x"'),
  json('half a text', '{"a":'),
  json('no bottom', `{"a":[${deep}]}`),
  { why: 'JSON: bytes that are no UTF-8', type: 'application/json', data: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) },
  parts('no end', `--${boundary}${crlf}Content-Disposition: form-data; name="a"${crlf}${crlf}x`),
  parts('no name', `--${boundary}${crlf}Content-Disposition: form-data${crlf}${crlf}x${crlf}--${boundary}--`),
  form('bytes that are no UTF-8', Buffer.from([0x61, 0x3d, 0xff])),
  form('broken escapes', 'a=%zz'),
];

/** The good parameters as JSON, one of them as what it cannot be: refused by name where the table alone would refuse its text. */
function wrongKinds(route: Route, good: Values): BadBody[] {
  const decode = parameterDecoder(route);
  const wrong = [{ a: { b: [1] } }, -1, 1e300, true, { a: '\u0000' }, { a: '\ud800' }] as const;
  return Object.keys(route.params).flatMap((name) =>
    wrong.flatMap((value) => {
      const text = JSON.stringify(value);
      if (decode(new Map([[name, [text]]])).errors?.[name] === undefined) return [];
      return [json(`${name} is ${text}`, JSON.stringify({ ...good, [name]: value }), name)];
    }),
  );
}

/**
 * What a route which takes parameters must refuse: everything that is wrong for one of them, and one body that is none, another for each route
 * (`turn`), because they are read alike for all.
 */
export function badBodies(route: Route, good: Values, turn: number): BadBody[] {
  if (route.raw || route.method === 'GET' || route.method === 'DELETE') return [];
  const name = JSON.stringify(Object.keys(route.params)[0] ?? 'a');
  const none = [
    ...bodiless,
    json('half a character', `{${name}:"\\ud800"}`),
    json('NUL', `{${name}:"\\u0000"}`),
    form('too many values', 'a=1&'.repeat(20_002)),
  ];
  return [...none.slice(turn % none.length).slice(0, 1), ...wrongKinds(route, good)];
}
