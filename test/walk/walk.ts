/**
 * A walk over routes: everything that may go wrong with each is sent, and must be refused by an error of the contract, without any change;
 * then its example is sent, and must succeed. What is judged is the table's word: policy, parameters, errors, status, reply.
 */
import { expect } from 'vitest';
import { errors, type ErrorCode } from '../../src/contract/errors.ts';
import { lifecycle, type MachineState } from '../../src/contract/lifecycle.ts';
import { pathNames, type Route } from '../../src/contract/route.ts';
import { badCalls } from './bad-values.ts';
import { badBodies, forms } from './bodies.ts';
import type { Example, Given } from './example.ts';
import type { Asked, Values, World } from './world.ts';

/** What any route may answer, whatever it is for. */
const general: ReadonlySet<string> = new Set<ErrorCode>([
  'bad_request',
  'invalid',
  'missing_parameter',
  'unrecognised_signature',
  'unauthorized',
  'no_credentials',
  'forbidden',
  'too_large',
  'unsupported_media',
]);

/** Why an answer is not a refusal as the contract has it; undefined when it is one. */
function notRefused(route: Route, asked: Asked, field?: string): string | undefined {
  const told = `${asked.status} ${asked.text.slice(0, 300)}`;
  if (asked.status < 400 || asked.status >= 500) return told;
  const code = String(asked.headers['muster-error']);
  if (!Object.hasOwn(errors, code)) return `an error without a code: ${told}`;
  if (!general.has(code) && !(route.errors as readonly string[]).includes(code))
    return `${code} is not among the errors of the route: ${told}`;
  if (code === 'invalid') {
    const lists = Object.values(asked.body as Record<string, unknown>);
    if (!lists.every((list) => Array.isArray(list) && list.length > 0 && list.every((text) => typeof text === 'string' && text !== '')))
      return `fields without messages: ${told}`;
  } else if (!String(asked.headers['content-type']).startsWith('text/plain')) return `no text: ${told}`;
  if (field !== undefined && !(code === 'invalid' && Object.hasOwn(asked.body as object, field))) return `does not name ${field}: ${told}`;
  return undefined;
}

function changed(good: Values, change: Readonly<Record<string, string | readonly string[] | undefined>>): Values {
  const entries = Object.entries({ ...good, ...change });
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** Names of tables whose rows changed. What is counted and timed about callers is no change of the fleet. */
async function changes(world: World, before: ReadonlyMap<string, string>): Promise<string[]> {
  const after = await world.content();
  return [...after].flatMap(([name, digest]) => (before.get(name) === digest ? [] : [name]));
}

async function strangers(world: World, route: Route, example: Example): Promise<string[]> {
  const problems: string[] = [];
  if (route.policy !== 'anonymous') {
    const asked = await world.ask(undefined, route, example);
    if (asked.status !== 401) problems.push(`nobody: ${asked.status} ${asked.text.slice(0, 200)}`);
    // Machines are known, and have no business here.
    for (const credential of ['boot', 'system'] as const) {
      const machine = await world.ask(credential, route, example);
      if (machine.status !== 403) problems.push(`a machine's ${credential} credential: ${machine.status} ${machine.text.slice(0, 200)}`);
    }
  }
  if (route.policy === 'admin') {
    const asked = await world.ask('bob', route, example);
    if (asked.status !== 403) problems.push(`bob is no admin: ${asked.status} ${asked.text.slice(0, 200)}`);
  }
  // What somebody else has is not bob's to change.
  if (route.policy === 'user' && route.method !== 'GET' && pathNames(route.path).includes('system_id')) {
    const asked = await world.ask('bob', route, example);
    if (![403, 404, 409].includes(asked.status)) problems.push(`bob does not own it: ${asked.status} ${asked.text.slice(0, 200)}`);
  }
  return problems;
}

/** What is not there is gone already, as in MAAS; of a user whom a cell has never seen it has nothing. */
const anyPath = new Set(['User.delete', 'Zone.delete', 'ResourcePool.delete', 'User.resources', 'User.transfer_resources']);
/** Blanks of the path that name nothing, of any kind. */
async function lost(world: World, route: Route, example: Example): Promise<string[]> {
  const problems: string[] = [];
  for (const blank of pathNames(route.path)) {
    for (const value of ['no-such-thing', '987654321', '99999999999999999999', "';--", 'a'.repeat(300), '%']) {
      const asked = await world.ask(example.as ?? 'admin', route, { ...example, path: { ...example.path, [blank]: value } });
      const problem = notRefused(route, asked);
      if (problem !== undefined) problems.push(`${blank}=${value.slice(0, 40)}: ${problem}`);
    }
  }
  return problems;
}

async function spoiled(world: World, route: Route, example: Example): Promise<string[]> {
  const problems: string[] = [];
  if (route.raw) return problems;
  for (const bad of badCalls(route, example.fields ?? {})) {
    if (Object.keys(bad.change).some((name) => example.unread?.includes(name) === true) && bad.field === undefined) continue;
    const fields = changed(example.fields ?? {}, bad.change);
    const asked = await world.ask(example.as ?? 'admin', route, { ...example, fields });
    const problem = notRefused(route, asked, bad.field);
    if (problem !== undefined) problems.push(`${bad.why}: ${problem}`);
  }
  return problems;
}

/** A number of a route, always the same: its turn where not everything is sent to every route. */
const turnOf = (id: string): number => [...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);

async function garbled(world: World, id: string, route: Route, example: Example): Promise<string[]> {
  const problems: string[] = [];
  for (const bad of badBodies(route, example.fields ?? {}, turnOf(id))) {
    if (bad.field !== undefined && example.unread?.includes(bad.field) === true) continue;
    const headers = { ...example.headers, 'content-type': bad.type };
    const asked = await world.ask(example.as ?? 'admin', route, { ...example, raw: bad.data, headers });
    const problem = notRefused(route, asked, bad.field);
    if (problem !== undefined) problems.push(`${bad.why.slice(0, 200)}: ${problem}`);
  }
  return problems;
}

export async function expectWalk(world: World, id: string, route: Route, given: Given): Promise<void> {
  const example = await given(world);
  const before = await world.content();
  const problems = [
    ...(await strangers(world, route, example)),
    ...(route.policy === 'anonymous' || anyPath.has(id) ? [] : await lost(world, route, example)),
    ...(await spoiled(world, route, example)),
    ...(await garbled(world, id, route, example)),
  ];
  expect(problems.join('\n')).toBe('');
  expect(await changes(world, before), `${id}: what was refused has changed something`).toEqual([]);
  const asked = await world.ask(route.policy === 'anonymous' ? undefined : (example.as ?? 'admin'), route, {
    form: forms[turnOf(id) % forms.length] ?? forms[0],
    ...example,
  });
  if (example.refused !== undefined) {
    expect(`${String(asked.headers['muster-error'])} ${asked.text}`).toContain(`${example.refused} `);
    expect(await changes(world, before), `${id}: what was refused has changed something`).toEqual([]);
    return;
  }
  expect(`${id} ${asked.status} ${asked.status === route.status ? '' : asked.text.slice(0, 500)}`.trim()).toBe(`${id} ${route.status}`);
}

/** The example sent to a machine in every state there is, by an admin and by its owner: done, or refused, never anything else. */
export async function expectStates(world: World, route: Route, given: Given): Promise<void> {
  const problems: string[] = [];
  const example = await given(world);
  const systemId = example.path?.['system_id'];
  if (systemId === undefined) return;
  for (const state of Object.keys(lifecycle) as MachineState[]) {
    for (const who of ['admin', 'ann'] as const) {
      const found = await world.db.selectFrom('machine').select('system_id').where('system_id', '=', systemId).executeTakeFirst();
      if (!found) return;
      await world.rest(systemId);
      await world.setState(systemId, state, state === 'ready' || state === 'new' ? null : 'ann');
      const asked = await world.ask(who, route, example);
      const problem = asked.status === route.status ? undefined : notRefused(route, asked);
      if (problem !== undefined) problems.push(`${state}, ${who}: ${problem}`);
    }
  }
  expect(problems.join('\n')).toBe('');
}
