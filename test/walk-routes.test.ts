/**
 * Every operation of the API, walked from the table: strangers, wrong owners, every parameter missing, of a wrong type, out of range, too long,
 * with a NUL, naming nothing; paths that lead nowhere. Each is refused by an error of the contract and changes nothing; the example succeeds.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pathNames, type Route } from '../src/contract/route.ts';
import { routes } from '../src/contract/routes.ts';
import { addressExamples } from './walk/address-examples.ts';
import { cellExamples } from './walk/cell-examples.ts';
import type { Examples } from './walk/example.ts';
import { globalExamples } from './walk/global-examples.ts';
import { nodeExamples } from './walk/node-examples.ts';
import { storageExamples } from './walk/storage-examples.ts';
import { expectStates, expectWalk } from './walk/walk.ts';
import { openWorld, type World } from './walk/world.ts';

const examples: Examples = { ...globalExamples, ...cellExamples, ...nodeExamples, ...addressExamples, ...storageExamples };
const table: Readonly<Record<string, Route>> = routes;

/** Only hubs and fronts have these; their own tests ask them. A stream has no end to wait for, and a session's own calls need one. */
const elsewhere = new Set([
  'Cells.create',
  'Cell.update',
  'Fronts.read',
  'Fronts.create',
  'Front.update',
  'GlobalObjects.plan',
  'GlobalObjects.import',
  'HubKey.read',
  'HubKey.rotate',
  'DomainNames.create',
  'DomainName.delete',
  'Events.stream',
  'Session.renew',
  'Session.delete',
]);

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const walked = Object.keys(routes).filter((id) => ['api', 'accounts'].includes(table[id]?.base ?? '') && !elsewhere.has(id));

test('every operation has an example', () => {
  expect(walked.filter((id) => !Object.hasOwn(examples, id))).toEqual([]);
  expect(Object.keys(examples).filter((id) => !Object.hasOwn(routes, id))).toEqual([]);
});

describe('refused and done', () => {
  test.each(walked.filter((id) => Object.hasOwn(examples, id)))('%s', async (id) => {
    await expectWalk(world, id, table[id]!, examples[id]!);
  });
});

const ofMachines = walked.filter((id) => table[id]!.method !== 'GET' && pathNames(table[id]!.path).includes('system_id'));

describe('in every state of the machine', () => {
  test.each(ofMachines.filter((id) => Object.hasOwn(examples, id)))('%s', async (id) => {
    await expectStates(world, table[id]!, examples[id]!);
  });
});
