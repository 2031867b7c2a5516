/** What a machine may read about itself, and with which credential; the preseed; enlistment; the status webhook. */
import { sql } from 'kysely';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  answerOf,
  bootIdOf,
  image,
  keyOf,
  machineCell,
  type Answer,
  type MachineCell,
  type TestMachine,
} from '../../../test/machine-cell.ts';
import { oauthHeader } from '../../http/oauth.ts';
import { systemCredential } from './machine-credential.ts';

let cell: MachineCell;
beforeAll(async () => {
  cell = await machineCell();
});
afterAll(() => cell.close());
beforeEach(async () => {
  await cell.database.db.deleteFrom('finding').execute();
});

const latest = '/MAAS/metadata/latest/';
const blank = 'name=vda&serial=disk-1&size=8589934592&signatures=&marker=';

/** A deployment whose ticket was claimed: both credentials are there. */
async function claimed(withUserData = true) {
  const machine = await cell.addMachine({
    status: 10,
    owner: 'ann',
    disks: [{ name: 'vda', serial: 'disk-1', size: 8_589_934_592 }],
    image,
  });
  const operation = await cell.start(machine, 'deploy');
  if (withUserData)
    await sql`update machine set user_data = ${Buffer.from('#cloud-config\n')} where system_id = ${machine.systemId}`.execute(
      cell.database.db,
    );
  await cell.settle();
  const bootId = bootIdOf();
  const nonce = await cell.nonceOf(machine);
  const key = keyOf(
    (
      await cell.form('/MAAS/metadata/agent/check-in', [
        ['nonce', nonce],
        ['boot_id', bootId],
        ['mac', machine.mac],
      ])
    ).text,
  );
  const script = await cell.form(
    '/MAAS/metadata/agent/claim',
    [
      ['boot_id', bootId],
      ['disk', blank],
    ],
    { key },
  );
  const credential = systemCredential(cell.secretKey, machine.systemId, operation);
  return {
    machine,
    operation,
    nonce,
    bootId,
    key,
    script: script.text,
    system: `${credential.consumerKey}:${credential.tokenKey}:${credential.tokenSecret}`,
  };
}

const spend = (bootId: string, key: string) =>
  cell.form(
    '/MAAS/metadata/agent/spend',
    [
      ['boot_id', bootId],
      ['outcome', 'done'],
    ],
    { key },
  );

describe('meta-data', () => {
  test('the items, with an address that may be any: the system credential is bound to none', async () => {
    const { machine, system, script } = await claimed();
    const cloud = Buffer.from(/write_file '[^']*90_muster.cfg' '0600' '([^']*)'/.exec(script)?.[1] ?? '', 'base64').toString();
    for (const word of system.split(':')) expect(cloud).toContain(word);
    cell.door.keys['ann'] = ['ssh-ed25519 AAAA one', 'ssh-rsa BBBB two'];
    cell.door.certificates['ann'] = ['one\n', 'two\n'];
    const ask = { key: system, address: '203.0.113.9' };
    expect((await cell.get('/MAAS/metadata/')).text.split('\n')).toContain('latest');
    expect((await cell.get(latest, ask)).text.split('\n')).toEqual(['maas-commissioning-scripts', 'meta-data', 'user-data']);
    expect((await cell.get(`${latest}meta-data/`, ask)).text.split('\n')).toEqual([
      'instance-id',
      'local-hostname',
      'public-keys',
      'vendor-data',
      'x509',
    ]);
    expect((await cell.get(`${latest}meta-data/instance-id`, ask)).text).toBe(machine.systemId);
    expect((await cell.get('/MAAS/metadata/2012-03-01/meta-data/local-hostname', ask)).text).toMatch(/^m\d+\.c17\.example$/);
    expect((await cell.get(`${latest}meta-data/public-keys`, ask)).text).toBe('ssh-ed25519 AAAA one\nssh-rsa BBBB two\n');
    expect((await cell.get(`${latest}meta-data/x509`, ask)).text).toBe('one\ntwo\n');
    cell.door.certificates = {};
    expect((await cell.get(`${latest}meta-data/vendor-data`, ask)).headers['content-type']).toContain('yaml');
    for (const path of [
      `${latest}meta-data/x509`,
      `${latest}meta-data/__proto__`,
      '/MAAS/metadata/1999-01-01/meta-data/instance-id',
      '/MAAS/metadata/constructor/user-data',
    ]) {
      expect((await cell.get(path, ask)).status, path).toBe(404);
    }
    cell.door.keys = {};
    expect((await cell.get(`${latest}meta-data/public-keys`, ask)).status).toBe(404);
  });

  test('nothing is served without a credential, nor by the nonce alone', async () => {
    const { nonce } = await claimed();
    for (const path of ['', 'meta-data/', 'meta-data/public-keys', 'user-data', 'maas-scripts']) {
      expect((await cell.get(`${latest}${path}`)).status, path).toBe(401);
      expect((await cell.get(`${latest}${path}?nonce=${nonce}`)).status, path).toBe(401);
    }
  });
});

describe('user-data', () => {
  test('read with the boot credential it finishes nothing; with the system credential it does', async () => {
    const { machine, bootId, key, system } = await claimed();
    expect((await cell.get(`${latest}user-data`, { key })).text).toBe('#cloud-config\n');
    await spend(bootId, key);
    await cell.settle();
    expect(await cell.statusOf(machine)).toBe('deploying');
    expect((await cell.get(`${latest}user-data`, { key: system, address: '10.99.0.9' })).text).toBe('#cloud-config\n');
    await cell.settle();
    expect(await cell.statusOf(machine)).toBe('deployed');
    // The environment's credential died with the operation, the system's lives on.
    expect((await cell.get(`${latest}user-data`, { key })).status).toBe(401);
    expect((await cell.get(`${latest}user-data`, { key: system })).status).toBe(200);
  });

  test('a machine without user-data is told 404 and is Deployed all the same', async () => {
    const { machine, bootId, key, system } = await claimed(false);
    await spend(bootId, key);
    expect((await cell.get(`${latest}user-data`, { key: system })).status).toBe(404);
    await cell.settle();
    expect(await cell.statusOf(machine)).toBe('deployed');
  });

  test('the system credential is of no use to the agent’s calls, and dies with release', async () => {
    const { machine, bootId, key, system } = await claimed();
    for (const call of ['claim', 'spend', 'heartbeat']) {
      expect(
        (
          await cell.form(
            `/MAAS/metadata/agent/${call}`,
            [
              ['boot_id', bootId],
              ['outcome', 'done'],
              ['disk', blank],
            ],
            { key: system },
          )
        ).status,
        call,
      ).toBe(403);
    }
    expect((await cell.form(`${latest}?op=signal`, [['status', 'OK']], { key: system })).status).toBe(403);
    expect((await cell.get(`${latest}maas-scripts`, { key: system })).status).toBe(204);
    await spend(bootId, key);
    await cell.get(`${latest}user-data`, { key: system });
    await cell.settle();
    await cell.start(machine, 'release');
    await cell.settle();
    expect(await cell.statusOf(machine)).toBe('ready');
    expect((await cell.get(`${latest}meta-data/instance-id`, { key: system })).status).toBe(401);
  });
});

describe('preseed', () => {
  const path = (machine: TestMachine, query = ''): string => `${latest}by-id/${machine.systemId}/?op=get_preseed${query}`;

  test('without the nonce it has nothing of value; with a wrong one it is refused', async () => {
    const { machine, nonce } = await claimed();
    const bare = await cell.get(path(machine));
    expect(bare.text).toBe('#cloud-config\n{\n "datasource_list": [\n  "MAAS"\n ]\n}\n');
    const other = await cell.addMachine();
    expect((await cell.get(path(other, `&nonce=${nonce}`))).status).toBe(403);
    expect((await cell.get(path(machine, `&nonce=${'0'.repeat(32)}`))).status).toBe(403);
    // Claimed by one boot: the nonce buys nothing any more.
    expect((await cell.get(path(machine, `&nonce=${nonce}`))).status).toBe(403);
  });

  test('with the nonce it holds the boot credential, the same each time, bound to the address', async () => {
    const machine = await cell.addMachine();
    await cell.start(machine, 'commission');
    await cell.settle();
    const nonce = await cell.nonceOf(machine);
    const one = await cell.get(path(machine, `&nonce=${nonce}`));
    const two = await cell.get(path(machine, `&nonce=${nonce}`));
    expect([one.status, two.text]).toEqual([200, one.text]);
    expect((await cell.get(path(machine, `&nonce=${nonce}`), { address: '10.99.0.77' })).status).toBe(403);
    const { datasource } = JSON.parse(one.text.replace('#cloud-config\n', '')) as { datasource: { MAAS: Record<string, string> } };
    const key = `${datasource.MAAS['consumer_key']}:${datasource.MAAS['token_key']}:${datasource.MAAS['token_secret']}`;
    expect((await cell.get(`${latest}maas-scripts`, { key })).status).toBe(200);
    expect((await cell.get(`${latest}maas-scripts`, { key, address: '10.99.0.77' })).status).toBe(401);
  });

  test('netboot_off answers OK and changes nothing', async () => {
    const { machine, nonce, key } = await claimed();
    const rows = async () =>
      JSON.stringify([
        await cell.database.db.selectFrom('ticket').selectAll().where('nonce', '=', nonce).execute(),
        await cell.database.db.selectFrom('machine').selectAll().where('system_id', '=', machine.systemId).execute(),
      ]);
    const before = await rows();
    expect((await cell.form(`${latest}by-id/${machine.systemId}/?op=netboot_off`, [])).text).toBe('OK');
    expect((await cell.form(`${latest}?op=netboot_off`, [], { key })).text).toBe('OK');
    expect(await rows()).toBe(before);
  });
});

describe('enlistment', () => {
  const enlist = (fields: readonly (readonly [string, string])[], address = '10.99.0.200'): Promise<Answer> =>
    cell.form('/MAAS/metadata/agent/enlist', [['boot_id', bootIdOf()], ['architecture', 'amd64'], ...fields], { address });
  const machines = async (): Promise<number> => (await cell.database.db.selectFrom('machine').select('system_id').execute()).length;

  test('an unknown machine becomes New; again, it is recognised by MAC and by UUID', async () => {
    const mac = '52:54:00:00:aa:01';
    const uuid = 'aaaaaaaa-0000-0000-0000-000000000001';
    const first = await enlist([
      ['mac', mac],
      ['hardware_uuid', uuid],
      ['firmware', 'uefi'],
    ]);
    const { SYSTEM_ID: id, ACTION: action } = answerOf(first.text);
    expect(action).toBe('poweroff');
    const count = await machines();
    expect((await enlist([['mac', mac.toUpperCase()]])).text).toBe(first.text);
    expect(
      (
        await enlist([
          ['mac', '52:54:00:00:aa:02'],
          ['hardware_uuid', uuid.toUpperCase()],
        ])
      ).text,
    ).toBe(first.text);
    expect(await machines()).toBe(count);
    const row = await cell.database.db
      .selectFrom('machine')
      .select(['status', 'firmware'])
      .where('system_id', '=', id!)
      .executeTakeFirstOrThrow();
    expect(row).toEqual({ status: 0, firmware: 'uefi' });
  });

  test('twenty calls of one machine at once make one machine', async () => {
    const before = await machines();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        enlist([
          ['mac', '52:54:00:00:aa:10'],
          ['mac', '52:54:00:00:aa:11'],
        ]),
      ),
    );
    expect(new Set(answers.map((one) => `${one.status} ${one.text}`)).size).toBe(1);
    expect(await machines()).toBe(before + 1);
  });

  test('a deployment marker keeps its hands off; a VLAN that does not enlist, and no VLAN at all, refuse', async () => {
    const before = await machines();
    expect(
      (
        await enlist([
          ['mac', '52:54:00:00:aa:20'],
          ['marker', 'muster 4y3hk7f 1 deploy done x'],
        ])
      ).text,
    ).toBe("ACTION='local'\n");
    expect((await enlist([['mac', '52:54:00:00:aa:21']], '192.0.2.7')).status).toBe(403);
    await sql`update vlan set enlists = false`.execute(cell.database.db);
    expect((await enlist([['mac', '52:54:00:00:aa:22']])).status).toBe(403);
    await sql`update vlan set enlists = true`.execute(cell.database.db);
    expect(
      (
        await enlist([
          ['mac', '52:54:00:00:aa:23'],
          ['architecture', 'vax'],
        ])
      ).status,
    ).toBe(400);
    expect(await machines()).toBe(before);
  });

  test('boards with dummy UUIDs are machines of their own', async () => {
    const before = await machines();
    const dummy = '03000200-0400-0500-0006-000700080009';
    for (const last of ['31', '32'])
      expect(
        (
          await enlist([
            ['mac', `52:54:00:00:aa:${last}`],
            ['hardware_uuid', dummy],
          ])
        ).status,
      ).toBe(200);
    expect(await machines()).toBe(before + 2);
  });

  test('one hardware with the MACs of two records is a finding, and neither is changed', async () => {
    const [one, two] = [await cell.addMachine(), await cell.addMachine()];
    const answer = await enlist([
      ['mac', one.mac],
      ['mac', two.mac],
    ]);
    expect([one.systemId, two.systemId]).toContain(answerOf(answer.text)['SYSTEM_ID']);
    expect(await cell.findings()).toEqual(['duplicate_machine']);
  });
});

describe('the status webhook', () => {
  const post = async (machine: TestMachine, key: string, payload: string) => {
    const reply = await cell.server.inject({
      method: 'POST',
      url: `/MAAS/metadata/status/${machine.systemId}`,
      headers: { authorization: oauthHeader(key), 'content-type': 'application/json' },
      payload,
    });
    return reply.statusCode;
  };
  const report = (n: number, more: object = {}) =>
    JSON.stringify({ event_type: 'finish', origin: 'cloudinit', name: `modules-${n}`, description: 'x', timestamp: 1.5, ...more });
  const reports = async (machine: TestMachine): Promise<string[]> =>
    (
      await sql<{
        type: string;
      }>`select type from event where system_id = ${machine.systemId} and type in ('status_report', 'script_failed') order by id`.execute(
        cell.database.db,
      )
    ).rows.map((row) => row.type);

  test('66 reports at once are few transactions, and all are there when they were acknowledged', async () => {
    const { machine, system } = await claimed();
    const { statements } = await cell.database.countStatements(async () => {
      const all = await Promise.all(
        Array.from({ length: 66 }, (_, n) => post(machine, system, report(n, n === 7 ? { result: 'FAIL' } : {}))),
      );
      expect(new Set(all)).toEqual(new Set([204]));
    });
    const kinds = await reports(machine);
    expect([kinds.length, kinds.filter((kind) => kind === 'script_failed').length]).toEqual([66, 1]);
    expect(statements.filter((text) => text.includes('insert into event')).length).toBeLessThan(10);
  });

  test('what is no report is a 400, of another machine a 403', async () => {
    const { machine, system } = await claimed();
    const other = await cell.addMachine();
    expect(await post(other, system, report(1))).toBe(403);
    for (const payload of [
      '',
      '{',
      'null',
      '[]',
      '{}',
      JSON.stringify({ event_type: 'end', origin: '', name: '', description: '' }),
      report(1, { name: 'x'.repeat(1025) }),
    ]) {
      expect(await post(machine, system, payload), payload.slice(0, 30)).toBe(400);
    }
    // What PostgreSQL cannot store fails neither this report nor those of other machines in the same batch.
    const odd = ['a\0b', '\ud800', `${'x'.repeat(4000)}${'😀'.repeat(100)}`].map((description) =>
      report(1, { description, name: description.slice(0, 9) }),
    );
    expect(await Promise.all([...odd, report(2)].map((payload) => post(machine, system, payload)))).toEqual([204, 204, 204, 204]);
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), async (payload) => {
        expect([204, 400]).toContain(await post(machine, system, payload));
      }),
      { numRuns: 40 },
    );
  });
});
