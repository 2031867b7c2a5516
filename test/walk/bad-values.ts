// What is wrong for a parameter, told from its schema: each of these must be refused with 400 that names the parameter.
import { longestText } from '../../src/contract/parameter.ts';
import type { Param, Route } from '../../src/contract/route.ts';
import type { Values } from './world.ts';

export interface BadCall {
  readonly why: string;
  /** The parameters as they are sent; undefined takes one away. */
  readonly change: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The field that the error must name; undefined: any error of the contract will do. */
  readonly field: string | undefined;
}

interface Shape {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape;
  readonly patternProperties?: Readonly<Record<string, Shape>>;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

/** Longer than any text may be that has no limit of its own (contract/parameter.ts). */
const endless = 'a'.repeat(longestText + 1);

function badTexts(shape: Shape): [why: string, text: string][] {
  if (shape.items !== undefined) return badTexts(shape.items);
  if (shape.patternProperties !== undefined) return [['not an object', '[1]']];
  const members = shape.anyOf?.filter((member) => member.type !== 'null');
  if (members !== undefined) {
    // What is wrong for all of the alternatives.
    const isText = members.some((member) => member.type === 'string' && member.pattern === undefined && member.enum === undefined);
    return isText ? [['too long', endless]] : [['of no kind that it may be', 'no-such-word!']];
  }
  if (shape.enum !== undefined || shape.const !== undefined) return [['no choice', 'no-such-word']];
  if (shape.type === 'boolean') return [['no boolean', 'maybe']];
  if (shape.type === 'object' || shape.type === 'array') return [['no JSON', '{']];
  if (shape.type === 'integer' || shape.type === 'number') {
    return [
      ['no number', 'many'],
      ['far too large', '99999999999999999999999'],
      ...(shape.type === 'integer' ? [['no whole number', '1.5'] as [string, string]] : []),
      ...(shape.minimum === undefined ? [] : [['too small', String(shape.minimum - 1)] as [string, string]]),
      ...(shape.maximum === undefined || shape.maximum >= Number.MAX_SAFE_INTEGER
        ? []
        : [['too large', String(shape.maximum + 1)] as [string, string]]),
    ];
  }
  if (shape.type !== 'string') return [];
  const odd = '💥 \u202e \t';
  return [
    ['too long', shape.maxLength === undefined ? endless : 'a'.repeat(shape.maxLength + 1)],
    ...(shape.pattern !== undefined && !new RegExp(shape.pattern, 'u').test(odd)
      ? [['of a form that it may not have', odd] as [string, string]]
      : []),
  ];
}

/** Parameters that name something that must be there. */
const references = new Set(
  `system_id machine machines nodes zone pool domain fabric vlan subnet space source destination parent parents node relay_vlan primary_rack
   secondary_rack iprange to transfer_resources_to block_devices partitions spare_devices spare_partitions add_block_devices remove_block_devices
   add_partitions remove_partitions cache_set backing_device backing_partition cache_device cache_partition token_key token claim`.split(
    /\s+/,
  ),
);

/** Finding nothing is an answer; a claim that found nothing is used up, and its own tests say so. */
const asksOnly = new Set(['ask', 'explain', 'claim']);

/** Names of nobody, as a text and as an id. */
const nobody = ['no-such-thing', '987654321', "'; drop table machine; --"];

function badParam(name: string, param: Param, writes: boolean): BadCall[] {
  const shape = param.schema as Shape;
  const bad = badTexts(shape).map(([why, text]): BadCall => ({ why: `${name} ${why}`, change: { [name]: text }, field: name }));
  bad.push({ why: `${name} with a NUL`, change: { [name]: 'a\0b' }, field: undefined });
  if (param.required && shape.patternProperties === undefined)
    bad.push({ why: `${name} missing`, change: { [name]: undefined }, field: name });
  if (writes && references.has(name))
    bad.push(...nobody.map((text) => ({ why: `${name} of nothing: ${text}`, change: { [name]: text }, field: undefined })));
  return bad;
}

/** Every bad call of a route whose good one sends `good`. Too long texts of GET and DELETE would not fit into a URL: they go without. */
export function badCalls(route: Route, good: Values): BadCall[] {
  const inQuery = route.method === 'GET' || route.method === 'DELETE';
  return Object.entries(route.params)
    .flatMap(([name, param]) => badParam(name, param, !inQuery && route.strangers !== 'told' && !asksOnly.has(route.op ?? '')))
    .filter((call) => !inQuery || Object.values(call.change).every((value) => String(value).length < 5_000))
    .filter((call) => Object.keys(call.change).every((name) => call.change[name] !== undefined || Object.hasOwn(good, name)));
}
