/** Scripts and their results as the agent sends them: pending, running, passed; and what of it is believed. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootIdOf, keyOf, machineCell, type Answer, type MachineCell, type TestMachine } from '../../../test/machine-cell.ts';
import { oauthHeader } from '../../http/oauth.ts';
import { readTar } from '../../sim/tar-reader.ts';

let cell: MachineCell;
beforeAll(async () => {
  cell = await machineCell();
});
afterAll(() => cell.close());

async function commissioning(kind: 'commission' | 'test' = 'commission') {
  const machine = await cell.addMachine({ status: kind === 'test' ? 4 : 0 });
  await cell.start(machine, kind);
  await cell.settle();
  const boot = bootIdOf();
  const answer = await cell.form('/MAAS/metadata/agent/check-in', [
    ['nonce', await cell.nonceOf(machine)],
    ['boot_id', boot],
    ['mac', machine.mac],
  ]);
  return { machine, boot, key: keyOf(answer.text) };
}

const resultOf = (machine: TestMachine) =>
  cell.database.db.selectFrom('script_result').selectAll().where('system_id', '=', machine.systemId).executeTakeFirstOrThrow();
const scripts = (key: string): Promise<Answer> => cell.get('/MAAS/metadata/latest/maas-scripts', { key });
const spend = (boot: string, key: string): Promise<Answer> =>
  cell.form(
    '/MAAS/metadata/agent/spend',
    [
      ['boot_id', boot],
      ['outcome', 'done'],
    ],
    { key },
  );

/** `op=signal` as cloud-init and the agent send it. */
async function signal(
  key: string,
  fields: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const edge = 'x-edge-x';
  const part = (name: string, value: string, more: string) =>
    `--${edge}\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;
  const payload =
    Object.entries({ op: 'signal', ...fields })
      .map(([name, value]) => part(name, value, ''))
      .join('') +
    Object.entries(files)
      .map(([name, value]) => part(name, value, `; filename="${name}"`))
      .join('') +
    `--${edge}--\r\n`;
  const reply = await cell.server.inject({
    method: 'POST',
    url: '/MAAS/metadata/latest/',
    remoteAddress: '10.99.0.50',
    headers: { 'content-type': `multipart/form-data; boundary=${edge}`, authorization: oauthHeader(key) },
    payload,
  });
  return { status: reply.statusCode, text: reply.body, bytes: reply.rawPayload, headers: reply.headers };
}

const inventory = (more: Record<string, unknown> = {}): string =>
  JSON.stringify({
    schema: 1,
    architecture: 'amd64',
    firmware: 'uefi',
    hardware_uuid: '11111111-2222-3333-4444-555555555555',
    system: { vendor: 'QEMU', serial: 'X1' },
    mainboard: {},
    bios: {},
    cpu: { model: 'kvm64', count: 4 },
    memory_mib: 2048,
    disks: [{ name: 'vda', serial: 'd1', size: 4_000_000_000, block_size: 512, rotational: false }],
    interfaces: [],
    ...more,
  });

test('pending, running, passed; the inventory becomes the machine; then there is nothing more to run', async () => {
  const { machine, boot, key } = await commissioning();
  const archive = readTar((await scripts(key)).bytes);
  const [name, path, id] = archive.get('index.tsv')!.toString().split('\t');
  expect([name, path]).toEqual(['50-muster-inventory', 'commissioning/50-muster-inventory']);
  expect(archive.get(path!)?.toString()).toContain('/muster/inventory');
  const about = { script_result_id: id!, name: name! };
  expect((await signal(key, { ...about, status: 'WORKING' })).text).toBe('OK');
  expect((await resultOf(machine)).status).toBe(1);
  // A boot that died while it ran: the script is still to be run.
  expect((await scripts(key)).status).toBe(200);
  const end = { ...about, status: 'WORKING', exit_status: '0', runtime: '1.5' };
  const interfaces = [{ name: 'ens3', mac: machine.mac.toUpperCase(), boot: true, link: true, speed_mbps: 1000 }];
  const files = { [name!]: 'all', [`${name}.out`]: inventory({ interfaces }), [`${name}.err`]: 'warning' };
  for (let n = 0; n < 2; n += 1) expect((await signal(key, end, files)).text).toBe('OK');
  const result = await resultOf(machine);
  expect([result.status, result.exit_status, result.runtime, result.output.toString(), result.stderr.toString()]).toEqual([
    2,
    0,
    '1.5',
    'all',
    'warning',
  ]);
  const row = await cell.database.db.selectFrom('machine').selectAll().where('system_id', '=', machine.systemId).executeTakeFirstOrThrow();
  expect([row.cpu_count, row.memory, row.firmware, row.serial, row.hardware_uuid]).toEqual([
    4,
    2048,
    'uefi',
    'X1',
    '11111111-2222-3333-4444-555555555555',
  ]);
  const nics = await cell.database.db
    .selectFrom('interface')
    .select(['id', 'name', 'mac'])
    .where('system_id', '=', machine.systemId)
    .execute();
  expect(nics).toEqual([{ id: row.boot_interface_id, name: 'ens3', mac: machine.mac }]);
  expect((await scripts(key)).status).toBe(204);
  expect((await signal(key, { status: 'OK' })).text).toBe('OK');
  expect((await spend(boot, key)).text).toBe("ACTION='poweroff'\n");
  await cell.settle();
  expect(await cell.statusOf(machine)).toBe('ready');
});

test.each([
  ['is not JSON', 'not JSON'],
  [
    'one MAC twice',
    inventory({
      interfaces: [
        { name: 'a', mac: '52:54:00:00:99:01' },
        { name: 'b', mac: '52:54:00:00:99:01' },
      ],
    }),
  ],
  ['no disks at all said', inventory({ disks: undefined })],
  ['an empty output', ''],
])('a bad inventory (%s) fails its script and changes nothing of the machine', async (_why, out) => {
  const { machine, boot, key } = await commissioning();
  const { id } = await resultOf(machine);
  const answer = await signal(
    key,
    { script_result_id: String(id), name: '50-muster-inventory', status: 'WORKING', exit_status: '0' },
    { '50-muster-inventory.out': out },
  );
  expect(answer.status).toBe(200);
  const result = await resultOf(machine);
  expect(result.status).toBe(3);
  expect(result.stderr.toString()).toMatch(/^the inventory /);
  const row = await cell.database.db
    .selectFrom('machine')
    .select('cpu_count')
    .where('system_id', '=', machine.systemId)
    .executeTakeFirstOrThrow();
  expect(row.cpu_count).toBe(0);
  await spend(boot, key);
  await cell.settle();
  expect(await cell.statusOf(machine)).toBe('failed_commissioning');
});

test('an inventory that takes another machine’s MAC leaves that machine alone', async () => {
  const other = await cell.addMachine();
  const { machine, key } = await commissioning();
  const { id } = await resultOf(machine);
  const interfaces = [
    { name: 'eth0', mac: machine.mac, boot: true },
    { name: 'eth1', mac: other.mac },
  ];
  const answer = await signal(
    key,
    { script_result_id: String(id), name: '50-muster-inventory', status: 'OK' },
    { '50-muster-inventory.out': inventory({ interfaces, hardware_uuid: '' }) },
  );
  expect(answer.status, answer.text).toBe(200);
  const owner = await cell.database.db.selectFrom('interface').select('system_id').where('mac', '=', other.mac).execute();
  expect(owner).toEqual([{ system_id: other.systemId }]);
});

test.each([
  ['FAILED without a status', { status: 'FAILED' }, 3],
  ['a number other than 0', { status: 'WORKING', exit_status: '7' }, 3],
  ['too long', { status: 'TIMEDOUT' }, 4],
  ['OK', { status: 'OK' }, 2],
])('how a test ends: %s', async (_why, fields, status) => {
  const { machine, key } = await commissioning('test');
  const { id } = await resultOf(machine);
  expect((await signal(key, { script_result_id: String(id), ...fields })).status).toBe(200);
  expect((await resultOf(machine)).status).toBe(status);
});

test('another machine’s result is not found and stays as it was; a result that is none, too', async () => {
  const victim = await commissioning('test');
  const { key } = await commissioning('test');
  const { id } = await resultOf(victim.machine);
  for (const wrong of [String(id), '17', '99999999999999']) {
    expect((await signal(key, { script_result_id: wrong, status: 'FAILED', exit_status: '1' })).status, wrong).toBe(404);
    expect((await signal(key, { script_result_id: wrong, status: 'WORKING' })).status).toBeLessThan(500);
  }
  expect((await resultOf(victim.machine)).status).toBe(0);
});

test('an output larger than 1 MiB is cut, not refused', async () => {
  const { machine, key } = await commissioning('test');
  const { id } = await resultOf(machine);
  const big = 'x'.repeat(1024 * 1024 + 5);
  expect(
    (await signal(key, { script_result_id: String(id), name: '10-muster-disk-read', status: 'OK' }, { '10-muster-disk-read': big })).status,
  ).toBe(200);
  expect((await resultOf(machine)).output.length).toBe(1024 * 1024);
});

test('a report after the end of its operation changes nothing any more', async () => {
  const { machine, boot, key } = await commissioning('test');
  const { id } = await resultOf(machine);
  await signal(key, { script_result_id: String(id), status: 'OK' });
  await spend(boot, key);
  await cell.settle();
  expect(await cell.statusOf(machine)).toBe('ready');
  expect((await signal(key, { script_result_id: String(id), status: 'FAILED', exit_status: '1' })).status).toBe(401);
  expect((await resultOf(machine)).status).toBe(2);
});

test('whoever still has a credential, as a machine in rescue has, cannot replay a report of what has ended', async () => {
  const { machine, key } = await commissioning();
  const { id, operation_id } = await resultOf(machine);
  await sql`update operation set outcome = 'done', ended = now() where id = ${operation_id}`.execute(cell.database.db);
  const before = await resultOf(machine);
  const fields = { status: 'WORKING', exit_status: '0', name: '50-muster-inventory', script_result_id: String(id) };
  expect((await signal(key, fields, { '50-muster-inventory.out': inventory() })).status).toBe(404);
  expect(await resultOf(machine)).toEqual(before);
  const disks = await cell.database.db.selectFrom('block_device').select('id').where('system_id', '=', machine.systemId).execute();
  expect(disks).toEqual([]);
});

test('a script that was retired since the operation began is skipped, and the rest runs', async () => {
  const { machine, key } = await commissioning();
  const { operation_id, name } = await resultOf(machine);
  const gone = { system_id: machine.systemId, operation_id, name: 'retired-since', type: 0 };
  await cell.database.db.insertInto('script_result').values(gone).execute();
  const archive = [...readTar((await scripts(key)).bytes).keys()];
  expect(archive).toContain(`commissioning/${name}`);
  expect(archive).not.toContain('commissioning/retired-since');
  const states = await cell.database.db
    .selectFrom('script_result')
    .select(['name', 'status'])
    .where('system_id', '=', machine.systemId)
    .orderBy('name')
    .execute();
  expect(states).toEqual([
    { name, status: 0 },
    { name: 'retired-since', status: 9 },
  ]);
  const told = await sql<{ description: string }>`select description from event where system_id = ${machine.systemId}`.execute(
    cell.database.db,
  );
  expect(told.rows.map((event) => event.description)).toContain('retired-since is retired and was skipped');
});

async function ofLshw() {
  const started = await commissioning();
  const row = await cell.database.db
    .selectFrom('script_result')
    .select('operation_id')
    .where('system_id', '=', started.machine.systemId)
    .executeTakeFirstOrThrow();
  const { id } = await cell.database.db
    .insertInto('script_result')
    .values({ system_id: started.machine.systemId, operation_id: row.operation_id, name: '60-muster-lshw', type: 0 })
    .returning('id')
    .executeTakeFirstOrThrow();
  const print = (out: string) =>
    signal(
      started.key,
      { script_result_id: String(id), name: '60-muster-lshw', status: 'WORKING', exit_status: '0' },
      { '60-muster-lshw.out': out },
    );
  const kept = () =>
    cell.database.db.selectFrom('machine_hardware').select('lshw').where('system_id', '=', started.machine.systemId).executeTakeFirst();
  const open = () =>
    cell.database.db
      .selectFrom('finding')
      .select('text')
      .where('kind', '=', 'unreadable_hardware')
      .where('system_id', '=', started.machine.systemId)
      .where('resolved', 'is', null)
      .execute();
  const state = async () =>
    (await cell.database.db.selectFrom('script_result').select('status').where('id', '=', id).executeTakeFirstOrThrow()).status;
  return { ...started, print, kept, open, state };
}

test('what lshw prints is kept; the same again is no news', async () => {
  const { print, kept, open, state } = await ofLshw();
  const xml = '<?xml version="1.0" standalone="yes" ?>\n<list><node id="x" class="system"/></list>\n';
  expect((await print(xml)).status).toBe(200);
  expect((await kept())?.lshw?.toString()).toBe(xml);
  expect((await print(xml)).status).toBe(200);
  expect([await open(), await state()]).toEqual([[], 2]);
});

test.each([
  ['a bomb', `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><list>&b;</list>`],
  ['no XML', 'Segmentation fault\n'],
  ['cut off', '<list><node id="x">'],
  ['too large', `<list>${'x'.repeat(1_000_000)}</list>`],
  ['a ladder', '<a>'.repeat(20_000) + '</a>'.repeat(20_000)],
])('lshw that prints %s is a finding, and neither an error nor an end of commissioning', async (_why, out) => {
  const { print, kept, open, state, boot, key } = await ofLshw();
  const good = '<list/>';
  await print(good);
  expect((await print(out)).status).toBe(200);
  expect((await kept())?.lshw?.toString()).toBe(good);
  expect(await open()).toHaveLength(1);
  expect(await state()).toBe(2);
  // The next good one ends the finding.
  await print('<list><node/></list>');
  expect(await open()).toEqual([]);
  expect((await spend(boot, key)).status).toBe(200);
});

test('an agent that has no lshw prints nothing, and what was known stays', async () => {
  const { print, kept, open, state } = await ofLshw();
  await print('<list/>');
  expect((await print('')).status).toBe(200);
  expect((await kept())?.lshw?.toString()).toBe('<list/>');
  expect([await open(), await state()]).toEqual([[], 2]);
});
