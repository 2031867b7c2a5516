/** The calls of the agent, over a real database: each may come again, from the wrong place, too late, or from another boot. */
import { sql } from 'kysely';
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

let cell: MachineCell;
beforeAll(async () => {
  cell = await machineCell();
});
afterAll(() => cell.close());
beforeEach(async () => {
  cell.door.killPoint = () => undefined;
  await cell.database.db.deleteFrom('finding').execute();
});

const path = '/MAAS/metadata/agent/';
const disks = [{ name: 'vda', serial: 'disk-1', size: 8 * 1024 ** 3 }];
const blank = 'name=vda&serial=disk-1&wwn=&size=8589934592&block_size=512&model=x&signatures=&marker=';

const checkIn = (machine: TestMachine, nonce: string, boot: string, address = '10.99.0.50'): Promise<Answer> =>
  cell.form(
    `${path}check-in`,
    [
      ['nonce', nonce],
      ['boot_id', boot],
      ['mac', '52:54:00:ff:ff:ff'],
      ['mac', machine.mac],
    ],
    { address },
  );

/** A machine that deploys, checked in once. */
async function deploying(parameters: Record<string, unknown> = {}) {
  const machine = await cell.addMachine({ status: 10, owner: 'ann', disks, image });
  const operation = await cell.start(machine, 'deploy', parameters);
  await cell.settle();
  const nonce = await cell.nonceOf(machine);
  const boot = bootIdOf();
  const answer = await checkIn(machine, nonce, boot);
  expect(answer.status, answer.text).toBe(200);
  return { machine, operation, nonce, boot, key: keyOf(answer.text), answer };
}

const claim = (boot: string, key: string, lines: readonly string[] = [blank], address?: string): Promise<Answer> =>
  cell.form(`${path}claim`, [['boot_id', boot], ...lines.map((line): [string, string] => ['disk', line])], {
    key,
    ...(address ? { address } : {}),
  });
const spend = (boot: string, key: string, outcome: string, lines: readonly string[] = []): Promise<Answer> =>
  cell.form(
    `${path}spend`,
    [['boot_id', boot], ['outcome', outcome], ['detail', 'because'], ...lines.map((line): [string, string] => ['disk', line])],
    { key },
  );
const beat = (boot: string, key: string): Promise<Answer> =>
  cell.form(
    `${path}heartbeat`,
    [
      ['boot_id', boot],
      ['step', 'unpack'],
      ['percent', '12.4'],
    ],
    { key },
  );
const eventsOf = async (machine: TestMachine, type: string): Promise<number> =>
  (await sql`select from event where type = ${type} and system_id = ${machine.systemId}`.execute(cell.database.db)).rows.length;
const ticketOf = (nonce: string) => cell.database.db.selectFrom('ticket').selectAll().where('nonce', '=', nonce).executeTakeFirstOrThrow();

describe('check-in', () => {
  test('the first counts a boot and closes the power step; again, it is the same answer and counts nothing', async () => {
    const { machine, nonce, boot, answer } = await deploying();
    expect(answerOf(answer.text)).toMatchObject({ SYSTEM_ID: machine.systemId, PURPOSE: 'deploy' });
    const again = await checkIn(machine, nonce, boot);
    expect([again.status, again.text]).toEqual([200, answer.text]);
    expect((await ticketOf(nonce)).boots).toBe(1);
    const verbs = await cell.database.db.selectFrom('power_verb').select('state').where('system_id', '=', machine.systemId).execute();
    expect(verbs).toEqual([{ state: 'closed' }]);
    const { power_state: power } = await cell.database.db
      .selectFrom('machine')
      .select('power_state')
      .where('system_id', '=', machine.systemId)
      .executeTakeFirstOrThrow();
    expect(power).toBe('on');
    expect(await cell.findings()).toEqual([]);
  });

  test('a reply lost before the commit, and after it, gives the same credential again', async () => {
    for (const point of ['check_in:after-effect', 'check_in:before-reply']) {
      const machine = await cell.addMachine({ status: 10, disks, image });
      await cell.start(machine, 'deploy');
      await cell.settle();
      const nonce = await cell.nonceOf(machine);
      const boot = bootIdOf();
      cell.door.killPoint = (name) => {
        if (name === point) throw new Error('the reply is lost');
      };
      expect((await checkIn(machine, nonce, boot)).status).toBe(500);
      cell.door.killPoint = () => undefined;
      const answer = await checkIn(machine, nonce, boot);
      expect(answer.status).toBe(200);
      expect((await ticketOf(nonce)).boots).toBe(1);
      expect((await beat(boot, keyOf(answer.text))).text).toBe("ACTION='go-on'\n");
    }
  });

  test('another boot takes over before the claim, and the first one’s credential is dead', async () => {
    const { machine, nonce, boot, key } = await deploying();
    const second = bootIdOf();
    const answer = await checkIn(machine, nonce, second);
    expect(answer.status).toBe(200);
    expect((await beat(boot, key)).status).toBe(401);
    expect((await claim(second, keyOf(answer.text))).status).toBe(200);
    // After the claim the ticket is the second one's for good.
    const third = await checkIn(machine, nonce, bootIdOf());
    expect(third.status).toBe(403);
    expect(await cell.findings()).toEqual(['second_boot_id']);
    expect((await beat(second, keyOf(answer.text))).text).toBe("ACTION='go-on'\n");
  });

  test('boots are used up', async () => {
    const { machine, nonce } = await deploying();
    for (let n = 1; n < 5; n += 1) expect((await checkIn(machine, nonce, bootIdOf())).status).toBe(200);
    expect((await checkIn(machine, nonce, bootIdOf())).status).toBe(403);
    expect((await ticketOf(nonce)).boots).toBe(5);
    expect(await cell.findings()).toEqual(['second_boot_id']);
  });

  test('the same boot from elsewhere, and a nonce shown by another machine, are refused and found', async () => {
    const { machine, nonce, boot } = await deploying();
    expect((await checkIn(machine, nonce, boot, '10.99.0.66')).status).toBe(403);
    expect(await cell.findings()).toEqual(['nonce_from_elsewhere']);
    const stranger = await cell.addMachine();
    expect((await checkIn(stranger, nonce, bootIdOf())).status).toBe(403);
    const unknown = { systemId: '', mac: '52:54:00:aa:aa:aa' };
    expect((await checkIn(unknown, nonce, bootIdOf())).status).toBe(403);
    expect((await ticketOf(nonce)).boots).toBe(1);
  });

  test('a nonce that was never given out, and one whose ticket is over', async () => {
    const { machine, nonce, boot, key } = await deploying();
    expect((await checkIn(machine, 'f'.repeat(32), boot)).status).toBe(403);
    await sql`update ticket set expires = now() - interval '1 second' where nonce = ${nonce}`.execute(cell.database.db);
    expect((await checkIn(machine, nonce, bootIdOf())).status).toBe(403);
    expect(await cell.findings()).toEqual(['wrong_nonce']);
    // A heartbeat would bring an expired ticket back only while nobody has voided it.
    await sql`update ticket set voided = now() where nonce = ${nonce}`.execute(cell.database.db);
    expect((await beat(boot, key)).text).toBe("ACTION='poweroff'\n");
  });

  test('two boots that check in at once: both count, one owns the ticket, one credential works', async () => {
    const machine = await cell.addMachine({ status: 10, disks, image });
    await cell.start(machine, 'deploy');
    await cell.settle();
    const nonce = await cell.nonceOf(machine);
    const boots = [bootIdOf(), bootIdOf(), bootIdOf()];
    const answers = await Promise.all(boots.map((boot) => checkIn(machine, nonce, boot)));
    expect(answers.map((one) => one.status)).toEqual([200, 200, 200]);
    const ticket = await ticketOf(nonce);
    expect(ticket.boots).toBe(3);
    const beats = await Promise.all(boots.map((boot, index) => beat(boot, keyOf(answers[index]!.text))));
    expect(beats.map((one) => one.status === 200)).toEqual(boots.map((boot) => boot === ticket.boot_id));
  });
});

describe('claim', () => {
  test('granted twice it is byte for byte the same, whatever the disks look like by then; other boots get nothing', async () => {
    const { machine, nonce, boot, key } = await deploying();
    const granted = await claim(boot, key);
    expect([granted.status, granted.text.split('\n')[1]]).toEqual([200, "disk 'target' 'disk-1' '8589934592'"]);
    const again = await claim(boot, key, [blank.replace('signatures=', 'signatures=zfs_member')]);
    expect(again.bytes.equals(granted.bytes)).toBe(true);
    expect((await claim(bootIdOf(), key)).status).toBe(403);
    expect(await eventsOf(machine, 'ticket_claimed')).toBe(1);
    expect((await ticketOf(nonce)).claimed).not.toBeNull();
  });

  test('at once, several times: one claim, one script', async () => {
    const { machine, boot, key } = await deploying();
    const answers = await Promise.all([1, 2, 3, 4].map(() => claim(boot, key)));
    expect(new Set(answers.map((one) => `${one.status}${one.text}`)).size).toBe(1);
    const system = await cell.database.db
      .selectFrom('credential')
      .select('token_key')
      .where('system_id', '=', machine.systemId)
      .where('kind', '=', 'system')
      .execute();
    expect(system).toHaveLength(1);
  });

  test('killed before the commit nothing was granted; after it, the same again', async () => {
    for (const point of ['claim:before', 'claim:after-effect', 'claim:before-reply']) {
      const { nonce, boot, key } = await deploying();
      cell.door.killPoint = (name) => {
        if (name === point) throw new Error('killed');
      };
      expect((await claim(boot, key)).status).toBe(500);
      expect((await ticketOf(nonce)).claimed !== null).toBe(point === 'claim:before-reply');
      cell.door.killPoint = () => undefined;
      const answer = await claim(boot, key);
      expect(answer.status).toBe(200);
      expect((await claim(boot, key)).text).toBe(answer.text);
    }
  });

  test('foreign data is refused with a finding, and granted where overwriting was allowed', async () => {
    const foreign = [blank.replace('signatures=', 'signatures=LVM2_member')];
    const refused = await deploying();
    const answer = await claim(refused.boot, refused.key, foreign);
    expect([answer.status, answer.headers['muster-error']]).toEqual([409, 'claim_refused']);
    expect(answer.text).toContain('LVM2_member');
    expect(await cell.findings()).toEqual(['foreign_data']);
    expect((await ticketOf(refused.nonce)).claimed).toBeNull();
    const allowed = await deploying({ overwrite: true });
    expect((await claim(allowed.boot, allowed.key, foreign)).status).toBe(200);
  });

  test('a missing disk, one of another size, and two that look alike', async () => {
    for (const lines of [[], [blank.replace('8589934592', '8589934593')], [blank, blank.replace('vda', 'vdb')]]) {
      const { boot, key } = await deploying();
      const answer = await claim(boot, key, lines.length === 0 ? ['name=sr0&size=1'] : lines);
      expect([answer.status, answer.headers['muster-error']]).toEqual([409, 'claim_refused']);
    }
    expect(await cell.findings()).toEqual(['missing_disk', 'missing_disk', 'missing_disk']);
  });

  test('a dead ticket, and an abort in between', async () => {
    const expired = await deploying();
    await sql`update ticket set expires = now() where nonce = ${expired.nonce}`.execute(cell.database.db);
    expect((await claim(expired.boot, expired.key)).status).toBe(409);
    const aborted = await deploying();
    expect((await claim(aborted.boot, aborted.key)).status).toBe(200);
    await sql`update operation set abort_asked = true, due_at = now() where id = ${aborted.operation}`.execute(cell.database.db);
    // What was granted is not given again once it was taken back.
    expect((await claim(aborted.boot, aborted.key)).status).toBe(409);
    expect((await beat(aborted.boot, aborted.key)).text).toBe("ACTION='poweroff'\n");
    await cell.settle();
    expect((await claim(aborted.boot, aborted.key)).status).toBe(401);
    expect(await cell.statusOf(aborted.machine)).toBe('allocated');
  });

  test('an abort between the judgement and the claim wins', async () => {
    const { operation, nonce, boot, key, machine } = await deploying();
    let isAsked = false;
    const { executor } = cell;
    const judged = new Promise<void>((done) => {
      cell.door.killPoint = (name) => {
        if (name === 'claim:before') done();
      };
    });
    // The ticket's row is held, so that the claim waits behind the abort.
    await executor.database
      .transaction(async (tx) => {
        await sql`select from ticket where nonce = ${nonce} for update`.execute(tx);
        const answer = claim(boot, key).then((one) => [isAsked, one.status]);
        await judged;
        await sql`update operation set abort_asked = true where id = ${operation}`.execute(tx);
        await sql`update ticket set voided = now(), void_reason = 'aborted' where nonce = ${nonce}`.execute(tx);
        isAsked = true;
        return { answer };
      })
      .then(async ({ answer }) => expect(await answer).toEqual([true, 409]));
    const system = await cell.database.db
      .selectFrom('credential')
      .select('token_key')
      .where('system_id', '=', machine.systemId)
      .where('kind', '=', 'system')
      .execute();
    expect(system).toEqual([]);
  });

  test('a disk line that is none is a 400 and claims nothing', async () => {
    const { nonce, boot, key } = await deploying();
    expect((await claim(boot, key, ['name=vda&size=x'])).status).toBe(400);
    expect((await ticketOf(nonce)).claimed).toBeNull();
  });

  test('the boot credential from another address is worth nothing', async () => {
    const { nonce, boot, key } = await deploying();
    expect((await claim(boot, key, [blank], '10.99.0.51')).status).toBe(401);
    expect((await ticketOf(nonce)).claimed).toBeNull();
  });
});

describe('spend', () => {
  test('the accounts of the disks are kept, repeating it is harmless, the opposite is refused', async () => {
    const { machine, nonce, boot, key } = await deploying();
    await claim(boot, key);
    const after = `name=vda&serial=disk-1&wwn=&size=8589934592&signatures=ext4,gpt&marker=${encodeURIComponent(`muster ${machine.systemId} 1 deploy done x`)}`;
    for (let n = 0; n < 2; n += 1) expect((await spend(boot, key, 'done', [after])).text).toBe("ACTION='reboot'\n");
    expect((await spend(boot, key, 'failed')).status).toBe(409);
    const [disk] = await cell.database.db.selectFrom('block_device').selectAll().where('system_id', '=', machine.systemId).execute();
    expect([disk?.account_signatures, disk?.account_marker]).toEqual([['ext4', 'gpt'], `muster ${machine.systemId} 1 deploy done x`]);
    const { spent, outcome } = await ticketOf(nonce);
    expect([spent !== null, outcome]).toEqual([true, 'done']);
    expect(await eventsOf(machine, 'ticket_spent')).toBe(1);
    expect((await claim(boot, key)).status).toBe(409);
  });

  test('killed at its points: spent once, with its accounts', async () => {
    for (const point of ['spend:before', 'spend:after-effect', 'spend:before-reply']) {
      const { machine, boot, key } = await deploying();
      await claim(boot, key);
      cell.door.killPoint = (name) => {
        if (name === point) throw new Error('killed');
      };
      const line = blank.replace('signatures=', 'signatures=gpt');
      expect((await spend(boot, key, 'done', [line])).status).toBe(500);
      cell.door.killPoint = () => undefined;
      expect((await spend(boot, key, 'done', [line])).status).toBe(200);
      const [disk] = await cell.database.db
        .selectFrom('block_device')
        .select('account_signatures')
        .where('system_id', '=', machine.systemId)
        .execute();
      expect(disk?.account_signatures).toEqual(['gpt']);
    }
  });

  test('a failed installation ends the deployment as failed, with the agent’s words', async () => {
    const { machine, operation, boot, key } = await deploying();
    await claim(boot, key);
    expect((await spend(boot, key, 'failed')).text).toBe("ACTION='poweroff'\n");
    await cell.settle();
    expect(await cell.statusOf(machine)).toBe('failed_deployment');
    const row = await cell.database.db
      .selectFrom('operation')
      .select(['outcome', 'error'])
      .where('id', '=', operation)
      .executeTakeFirstOrThrow();
    expect(row).toEqual({ outcome: 'failed', error: 'because' });
  });
});

test('a heartbeat keeps the ticket alive and says what is going on', async () => {
  const { nonce, boot, key } = await deploying();
  await sql`update ticket set expires = now() + interval '1 minute' where nonce = ${nonce}`.execute(cell.database.db);
  expect((await beat(boot, key)).text).toBe("ACTION='go-on'\n");
  const ticket = await ticketOf(nonce);
  expect(ticket.progress).toBe('unpack 12 %');
  expect(ticket.expires.getTime()).toBeGreaterThan(Date.now() + 10 * 60_000);
  expect((await cell.form(`${path}heartbeat`, [['boot_id', bootIdOf()]], { key })).status).toBe(403);
});

describe('rescue', () => {
  test('its nonce is good only while the state says rescue', async () => {
    const machine = await cell.addMachine({ status: 6, owner: 'ann' });
    await cell.start(machine, 'rescue');
    await cell.settle();
    const script = await cell.get(`/boot/script.ipxe?mac=${machine.mac}`);
    const nonce = /muster_nonce=([0-9a-f]{32})/.exec(script.text)?.[1] ?? '';
    const boot = bootIdOf();
    const answer = await checkIn(machine, nonce, boot);
    expect(answerOf(answer.text)['PURPOSE']).toBe('rescue');
    await cell.settle();
    expect(await cell.statusOf(machine)).toBe('rescue_mode');
    // A boot that writes nothing has no ticket to claim with.
    expect((await claim(boot, keyOf(answer.text))).status).toBe(409);
    cell.door.keys['ann'] = ['ssh-ed25519 AAAA ann'];
    expect((await cell.get('/MAAS/metadata/latest/meta-data/public-keys', { key: keyOf(answer.text) })).text).toBe(
      'ssh-ed25519 AAAA ann\n',
    );
    await cell.start(machine, 'exit_rescue');
    await cell.settle();
    expect((await cell.get('/MAAS/metadata/latest/meta-data/public-keys', { key: keyOf(answer.text) })).status).toBe(401);
    const other = await cell.addMachine({ status: 4 });
    expect((await checkIn(other, nonce, bootIdOf())).status).toBe(403);
    await sql`update machine set status = 6 where system_id = ${machine.systemId}`.execute(cell.database.db);
    expect((await checkIn(machine, nonce, bootIdOf())).status).toBe(403);
    expect((await cell.get('/boot/script.ipxe?mac=' + machine.mac)).text).not.toContain('muster_nonce');
  });
});

test('what an anonymous call costs does not follow from how many cards it names', async () => {
  const macs = (first: number, count: number): [string, string][] =>
    Array.from({ length: count }, (_, n) => [
      'mac',
      `52:54:01:${first.toString(16).padStart(2, '0')}:00:${n.toString(16).padStart(2, '0')}`,
    ]);
  const enlist = (cards: [string, string][]) =>
    cell.form(`${path}enlist`, [['boot_id', bootIdOf()], ['architecture', 'amd64'], ...cards], { address: '10.99.0.60' });
  const strange = (cards: [string, string][]) =>
    cell.form(`${path}check-in`, [['boot_id', bootIdOf()], ['nonce', bootIdOf()], ...cards], { address: '10.99.0.60' });
  const cost = async (call: () => Promise<Answer>, status: number): Promise<number> => {
    const { value, statements } = await cell.database.countStatements(call);
    expect(value.status, value.text).toBe(status);
    return statements.length;
  };
  expect(await cost(() => enlist(macs(2, 200)), 200)).toBe(await cost(() => enlist(macs(1, 1)), 200));
  // The first opens the finding, later ones count it: the same statements but for the event.
  await strange(macs(3, 1));
  expect(await cost(() => strange(macs(3, 200)), 403)).toBe(await cost(() => strange(macs(3, 1)), 403));
});
