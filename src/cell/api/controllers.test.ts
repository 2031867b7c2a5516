/** A cell's processes as rack and region controllers, and lists of nodes of all kinds. */
import { Compile } from 'typebox/compile';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';
import { Node } from '../../contract/resources/nodes.ts';
import { RackController } from '../../contract/resources/rack-controllers.ts';
import { registerProcess, readProcesses, type ProcessRow } from '../db/process-store.ts';
import type { NetworkContext } from './network-context.ts';

let at: NetworkServer;
let processes: NetworkContext['processes'];
const ids = { live: '', dead: '' };
const shas = ['a'.repeat(64), 'b'.repeat(64)] as const;

const facts = (n: number) => ({
  id: `00000000-0000-4000-8000-00000000000${n}`,
  name: `host${n}`,
  address: `10.40.1.${n}`,
  serviceAddresses: [`10.40.1.${n}`],
  port: 5240,
  version: '0.1.0',
  servesDhcp: n === 1,
  servesTftp: true,
  cpuCount: 4,
  memory: 8192,
  architecture: 'amd64',
});

beforeAll(async () => {
  at = await networkServer({ others: 'empty', processes: () => (processes ?? (async (): Promise<ProcessRow[]> => []))() });
  processes = () => readProcesses(at.db);
  for (const n of [1, 2]) await at.database.transaction((tx) => registerProcess(tx, facts(n)));
  await keepAlive();
  await sql`update cell_process set heartbeat = now() - interval '60 seconds' where slot = 1`.execute(at.db);
  await sql`insert into cell_process_image (process_id, sha256) values (${facts(1).id}::uuid, ${shas[0]})`.execute(at.db);
  await at.write(async (draft) => {
    draft.put('zone', 88, { id: 88, name: 'east', description: '' });
    draft.put('tag', 77, { id: 77, name: 'core', definition: '', comment: '', kernel_opts: '' });
  });
  const racks = await at.must('GET', 'rackcontrollers/');
  for (const one of racks) ids[one.hostname === 'c17-1' ? 'live' : 'dead'] = one.system_id;
});
afterAll(() => at.drop());

/** Nobody beats here: what shall live has its heartbeat in the future. */
const keepAlive = () => sql`update cell_process set heartbeat = now() + interval '1 hour' where slot = 0`.execute(at.db);
const status = async (...given: Parameters<NetworkServer['ask']>) => (await at.ask(...given)).status;

describe('controllers', () => {
  test('each process is one, in both lists, with its services', async () => {
    const check = Compile(RackController);
    for (const list of ['rackcontrollers', 'regioncontrollers']) {
      const all = await at.must('GET', `${list}/`, undefined, 'ann');
      expect(all.map((one: { system_id: string }) => one.system_id)).toEqual([ids.live, ids.dead].toSorted());
      for (const one of all) {
        expect(check.Errors(one)).toEqual([]);
        expect(one).toMatchObject({ node_type: 4, resource_uri: `/MAAS/api/2.0/${list}/${one.system_id}/`, power_type: 'manual' });
        expect(await at.must('GET', `${list}/${one.system_id}/`, undefined, 'ann')).toEqual({
          ...one,
          service_set: expect.any(Array),
        });
      }
    }
    expect(await at.must('GET', `rackcontrollers/${ids.live}/`)).toMatchObject({
      hostname: 'c17-1',
      fqdn: 'c17-1.c17.example',
      power_state: 'on',
      service_set: [{ name: 'http', status: 'running' }, { name: 'dhcpd', status: 'running' }, { name: 'tftp' }],
    });
    expect(await at.must('GET', `rackcontrollers/${ids.dead}/`)).toMatchObject({
      power_state: 'unknown',
      service_set: [
        { name: 'http', status: 'dead' },
        { name: 'dhcpd', status: 'off' },
        { name: 'tftp', status: 'dead' },
      ],
    });
  });

  test('what is said of one stays; admins say it', async () => {
    const url = `rackcontrollers/${ids.live}/`;
    expect(await status('PUT', url, { description: 'x' }, 'ann')).toBe(403);
    expect(
      await at.must('PUT', url, { description: 'the first', zone: 'east', domain: 'c17.example', power_type: 'manual' }),
    ).toMatchObject({
      description: 'the first',
      zone: { name: 'east' },
      system_id: ids.live,
    });
    expect(await at.must('GET', `regioncontrollers/${ids.live}/`)).toMatchObject({ description: 'the first', zone: { name: 'east' } });
    expect(await at.must('PUT', `regioncontrollers/${ids.live}/`, { description: '' })).toMatchObject({
      description: 'Cell c17, number 17: process 1 on host1',
      resource_uri: `/MAAS/api/2.0/regioncontrollers/${ids.live}/`,
    });
    for (const [fields, name] of [
      [{ power_type: 'ipmi' }, 'power_type'],
      [{ power_parameters_power_address: 'x' }, 'power_parameters'],
      [{ zone: 'nowhere' }, 'zone'],
      [{ domain: 'nowhere' }, 'domain'],
    ] as const) {
      const reply = await at.ask('PUT', url, fields);
      expect([reply.status, Object.keys(reply.body)]).toEqual([400, [name]]);
    }
    expect(await status('PUT', `regioncontrollers/${await at.machine()}/`, { description: 'x' })).toBe(404);
  });

  test('filters of machines find them', async () => {
    await at.must('POST', 'tags/core/?op=update_nodes', { add: [ids.live, 'nobody'] });
    await at.must('POST', 'rackcontrollers/?op=set_zone', { zone: 'east', nodes: [ids.live] });
    const found = async (form: Record<string, unknown>) =>
      (await at.must('GET', 'rackcontrollers/', form, 'ann')).map((one: { system_id: string }) => one.system_id);
    for (const form of [
      { id: ids.live },
      { hostname: 'c17-1' },
      { zone: 'east' },
      { tags: 'core', status: 'deployed' },
      { not_id: ids.dead, arch: 'amd64' },
    ])
      expect(await found(form), JSON.stringify(form)).toEqual([ids.live]);
    expect(await found({ pool: 'default' })).toEqual([]);
    expect((await at.ask('GET', 'regioncontrollers/', { colour: 'red' })).body).toEqual({ colour: ['No such constraint.'] });
    for (const op of ['rack_controllers', 'region_controllers', 'nodes'])
      expect(
        (await at.must('GET', `tags/core/?op=${op}`)).map((one: { system_id: string }) => one.system_id),
        op,
      ).toEqual([ids.live]);
    expect(await at.must('GET', 'tags/core/?op=machines')).toEqual([]);
    expect(await at.must('POST', 'tags/core/?op=update_nodes', { remove: [ids.live] })).toEqual({ added: 0, removed: 1 });
  });

  test('is not switched, tested or aborted: it is refused, with the reason', async () => {
    for (const op of ['power_on', 'power_off', 'test', 'abort', 'override_failed_testing']) {
      const reply = await at.ask('POST', `rackcontrollers/${ids.live}/?op=${op}`);
      expect([reply.status, reply.text.startsWith('Controller c17-1 is a process of cell c17: ')], op).toEqual([409, true]);
      expect(await status('POST', `rackcontrollers/${ids.live}/?op=${op}`, {}, 'ann')).toBe(403);
      expect(await status('POST', `rackcontrollers/34666zz/?op=${op}`)).toBe(404);
    }
    expect(await at.must('GET', `rackcontrollers/${ids.live}/?op=query_power_state`)).toEqual({ state: 'on' });
    expect(await at.must('GET', `rackcontrollers/${ids.dead}/?op=query_power_state`)).toEqual({ state: 'unknown' });
    expect(await at.must('GET', `rackcontrollers/${ids.live}/?op=power_parameters`)).toEqual({});
    expect(await at.must('GET', 'rackcontrollers/?op=power_parameters', { id: [ids.live] })).toEqual({ [ids.live]: {} });
    for (const list of ['rackcontrollers', 'regioncontrollers', 'nodes'])
      expect(await status('GET', `${list}/${ids.live}/?op=details`), list).toBe(200);
  });

  test('its images: looked for now, and listed', async () => {
    const file = (sha256: string) => ({ filename: 'root', filetype: 'tar.zst', sha256, size: 1, complete: true });
    const set = (sha256: string) => ({ version: '1', label: 'l', size: 1, complete: true, files: { root: file(sha256) } });
    for (const [id, sha256] of [
      [501, shas[0]],
      [502, shas[1]],
    ] as const)
      await at.write((draft) =>
        draft.put('boot_resource', id, {
          id,
          type: 'Uploaded',
          name: `debian/${id}`,
          architecture: 'amd64/generic',
          sets: { 1: set(sha256) },
        }),
      );
    expect(await at.must('GET', `rackcontrollers/${ids.live}/?op=list_boot_images`)).toEqual({
      connected: true,
      status: 'out-of-sync',
      images: [{ name: 'debian/501', architecture: 'amd64', subarches: ['generic'] }],
    });
    expect((await at.must('GET', `rackcontrollers/${ids.dead}/?op=list_boot_images`)).images).toEqual([]);
    expect(await status('POST', `rackcontrollers/${ids.live}/?op=import_boot_images`)).toBe(202);
    expect(await status('POST', 'rackcontrollers/?op=import_boot_images')).toBe(202);
    expect(await status('POST', 'rackcontrollers/?op=import_boot_images', {}, 'ann')).toBe(403);
  });
});

describe('nodes', () => {
  test('machines, devices and controllers are one list, by system_id, and each is read by its kind', async () => {
    const machine = await at.machine();
    const device = await at.must('POST', 'devices/', { mac_addresses: '52:54:00:aa:00:01', cell: 'c17' }, 'ann');
    const all = await at.must('GET', 'nodes/', undefined, 'bob');
    const listed = all.map((one: { system_id: string }) => one.system_id);
    expect(listed).toEqual(listed.toSorted());
    expect(listed).toEqual(expect.arrayContaining([machine, device.system_id, ids.live, ids.dead]));
    const check = Compile(Node);
    for (const one of all) expect(check.Errors(one)).toEqual([]);
    const types = Object.fromEntries(all.map((one: { system_id: string; node_type: number }) => [one.system_id, one.node_type]));
    expect([types[machine], types[device.system_id], types[ids.live]]).toEqual([0, 1, 4]);
    for (const id of [machine, device.system_id, ids.live])
      expect((await at.must('GET', `nodes/${id}/`, undefined, 'bob')).system_id).toBe(id);
    expect((await at.ask('GET', 'nodes/346999z/')).text).toBe('No Node matches the given query.');
  });

  test('the number of statements does not depend on the number of nodes', async () => {
    const cost = async () => (await at.database.countStatements(() => at.askCell('GET', 'nodes/'))).statements.length;
    await cost();
    const few = await cost();
    for (let n = 10; n < 20; n += 1) {
      await at.machine();
      await at.must('POST', 'devices/', { mac_addresses: `52:54:00:aa:00:${n}`, cell: 'c17' }, 'ann');
    }
    expect(await cost()).toBe(few);
  });

  test('set_zone takes all kinds, or none when one is not there', async () => {
    const machine = await at.machine();
    const device = await at.must('POST', 'devices/', { mac_addresses: '52:54:00:aa:00:02', cell: 'c17' }, 'ann');
    const nodes = [machine, device.system_id, ids.dead];
    const zones = async () => Promise.all(nodes.map(async (id) => (await at.must('GET', `nodes/${id}/`)).zone.name));
    expect(await status('POST', 'nodes/?op=set_zone', { zone: 'east', nodes }, 'ann')).toBe(403);
    expect(await status('POST', 'nodes/?op=set_zone', { zone: 'east', nodes: [...nodes, '33q999z'] })).toBe(400);
    expect(await zones()).toEqual(['default', 'default', 'default']);
    await at.must('POST', 'nodes/?op=set_zone', { zone: 'east', nodes });
    expect(await zones()).toEqual(['east', 'east', 'east']);
    await sql`update machine set locked = true where system_id = ${machine}`.execute(at.db);
    expect(await status('POST', 'nodes/?op=set_zone', { zone: 'default', nodes })).toBe(409);
    expect(await zones()).toEqual(['east', 'east', 'east']);
  });

  test('deleting is as each kind has it', async () => {
    const machine = await at.machine({ status: 'ready' });
    const device = await at.must('POST', 'devices/', { mac_addresses: '52:54:00:aa:00:03', cell: 'c17' }, 'ann');
    expect(await status('DELETE', `nodes/${machine}/`, undefined, 'ann')).toBe(403);
    expect(await status('DELETE', `nodes/${device.system_id}/`, undefined, 'bob')).toBe(403);
    expect(await status('DELETE', `nodes/${device.system_id}/`, undefined, 'ann')).toBe(204);
    expect(await status('DELETE', `nodes/${machine}/`)).toBe(204);
    for (const id of [machine, device.system_id]) expect(await status('GET', `nodes/${id}/`)).toBe(404);
    expect(await status('DELETE', `nodes/${ids.dead}/`, undefined, 'ann')).toBe(403);
    const running = await at.ask('DELETE', `rackcontrollers/${ids.live}/?force=true`);
    expect([running.status, running.text]).toEqual([
      409,
      'Controller c17-1 is running: stop its process first. It would be there again a second later.',
    ]);
    expect(await status('DELETE', `nodes/${ids.live}/`)).toBe(409);
    expect(await status('DELETE', `regioncontrollers/${ids.dead}/`)).toBe(204);
    expect(await status('GET', `rackcontrollers/${ids.dead}/`)).toBe(404);
    expect((await at.must('GET', 'rackcontrollers/')).map((one: { hostname: string }) => one.hostname)).toEqual(['c17']);
    expect(await at.db.selectFrom('node').select('system_id').where('system_id', '=', ids.dead).execute()).toEqual([]);
  });
});
