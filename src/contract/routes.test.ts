/** What must hold of every route, whatever it is for. Each check lists what is wrong with a route; nothing may be. */
import { expect, test } from 'vitest';
import { Compile } from 'typebox/compile';
import { errors } from './errors.ts';
import { parameterDecoder } from './parameter.ts';
import { basePaths, pathNames, type Route } from './route.ts';
import { routes } from './routes.ts';

const all: [string, Route][] = Object.entries(routes);

/** A sentence begins like one and ends with a full stop; a `:param` in it would be read by clients of the describe document. */
function isSentence(text: string): boolean {
  return /^[A-Za-z0-9"'].*[.?]$/s.test(text) && !text.includes(':param') && text === text.trim();
}

function docProblems(route: Route): string[] {
  const [title = '', blank = '', ...rest] = route.doc.split('\n');
  const problems = [];
  if (!isSentence(title) || title.length > 140) problems.push(`title: ${title}`);
  if (blank !== '') problems.push('no blank line under the title');
  if (rest.length > 0 && !isSentence(rest.join('\n'))) problems.push('text');
  if (!isSentence(route.resourceDoc)) problems.push(`resource: ${route.resourceDoc}`);
  for (const [name, param] of Object.entries(route.params)) {
    if (!isSentence(param.doc) || param.doc.includes('\n')) problems.push(`${name}: ${param.doc}`);
  }
  return problems;
}

// Renaming, and the id of a link below an interface's: MAAS has both a blank and a parameter of that name.
const namedTwice = [
  'Zone.update',
  'Tag.update',
  'Vlan.update',
  'Interface.unlink_subnet',
  'VolumeGroup.delete_logical_volume',
  'VolumeGroupOfList.delete_logical_volume',
];

function nameProblems(id: string, route: Route): string[] {
  const problems = [];
  if (id !== `${route.handler}.${route.action}`) problems.push('id');
  if (!/^[A-Z][A-Za-z]+$/.test(route.handler) || !/^[a-z_]+$/.test(route.action)) problems.push('spelling');
  const blanks = pathNames(route.path);
  if (new Set(blanks).size !== blanks.length) problems.push('a blank twice');
  if (!namedTwice.includes(id)) problems.push(...blanks.filter((blank) => Object.hasOwn(route.params, blank)));
  if (Object.hasOwn(route.params, 'op')) problems.push('op is not a parameter');
  return problems;
}

function replyProblems(route: Route): string[] {
  const problems = [];
  if ((route.status === 204) !== (route.type === 'none')) problems.push('204 is the status of no body');
  if (new Set(route.errors).size !== route.errors.length) problems.push('an error twice');
  problems.push(...route.errors.filter((code) => !Object.hasOwn(errors, code)));
  if (route.raw && Object.keys(route.params).length > 0) problems.push('a raw body has no parameters');
  return problems;
}

function reachProblems(route: Route): string[] {
  const names = Object.keys(route.params);
  const problems = route.names.filter((name) => !names.includes(name));
  if (route.reach === 'id' && pathNames(route.path).length === 0) problems.push('no id in the path');
  if (route.reach === 'place' && !(route.method === 'POST' && names.includes('cell') && route.errors.includes('unplaced')))
    problems.push('cannot be placed');
  if (route.reach === 'split' && !Object.values(route.params).some((param) => 'items' in param.schema)) problems.push('no list to split');
  if (route.partial && (route.reach !== 'gather' || route.method !== 'GET')) problems.push('only reading may be partial');
  if (['metadata', 'boot', 'replica', 'program'].includes(route.base) && route.reach !== 'own') problems.push('nothing for a front');
  return problems;
}

test('there is a table to test', () => {
  expect(all.length).toBeGreaterThan(150);
});

test.each(all)('%s is described, parameter by parameter', (_, route) => {
  expect(docProblems(route)).toEqual([]);
});

test.each(all)('%s can be told from its id, its path and its parameters', (id, route) => {
  expect(nameProblems(id, route)).toEqual([]);
});

test.each(all)('%s has a status that fits its reply, and errors of the table', (_, route) => {
  expect(replyProblems(route)).toEqual([]);
});

test.each(all)('%s has a reach that a front can follow', (_, route) => {
  expect(reachProblems(route)).toEqual([]);
});

test.each(all)('%s has a reply and parameters that compile', (_, route) => {
  expect(() => Compile(route.reply)).not.toThrow();
  expect(() => parameterDecoder(route)(new Map())).not.toThrow();
});

test('no two routes are the same base, path, method and op', () => {
  const keys = all.map(([, route]) => `${basePaths[route.base]}${route.path} ${route.method} ${route.op ?? ''}`);
  expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
});

// Signing in, joining with a token, enlistment, and a call that changes nothing (architecture §11).
const openWrites = ['AgentEnlist.create', 'Authenticate.create', 'MetadataById.netboot_off', 'ReplicaJoin.join', 'Session.create'];

test('nobody writes anonymously but those who must', () => {
  const found = all.filter(([, route]) => route.method !== 'GET' && route.policy === 'anonymous').map(([id]) => id);
  expect(found.toSorted()).toEqual(openWrites);
});

test('only the replica feed is for cells, only the metadata server for machines', () => {
  expect(all.filter(([, route]) => route.policy === 'cell' && route.base !== 'replica').map(([id]) => id)).toEqual([]);
  expect(all.filter(([, route]) => ['machine', 'nonce'].includes(route.policy) && route.base !== 'metadata').map(([id]) => id)).toEqual([]);
});

test('whatever changes global rows, networks or hardware records is for admins', () => {
  const admin = all.filter(([, route]) => route.policy === 'admin').map(([id]) => id);
  for (const handler of ['Zones', 'ResourcePools', 'Domains', 'Fabrics', 'Vlans', 'Subnets', 'Tags', 'Spaces', 'Users', 'Cells']) {
    expect(admin).toContain(`${handler}.create`);
  }
  for (const id of ['Machine.power_parameters', 'Machines.power_parameters', 'Maas.set_config', 'Machine.delete'])
    expect(admin).toContain(id);
});

test('constraints and filters that are not known reach the handler, which refuses them', () => {
  const free = all.filter(([, route]) => route.free).map(([id]) => id);
  expect(free.toSorted()).toEqual([
    'Device.set_owner_data',
    'Device.set_workload_annotations',
    'Devices.read',
    'Machine.set_owner_data',
    'Machine.set_workload_annotations',
    'Machines.allocate',
    'Machines.ask',
    'Machines.claim',
    'Machines.explain',
    'Machines.read',
    'Machines.summary',
    'Metadata.signal',
    'Nodes.read',
    'RackControllers.read',
    'RegionControllers.read',
  ]);
});
