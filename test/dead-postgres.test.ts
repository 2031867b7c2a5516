/** A cell whose PostgreSQL is killed under load: clear refusals, careful boots, nothing acknowledged lost, and it goes on by itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Answer,
  admin,
  adminKey,
  becomes,
  bootScript,
  cell,
  checkedIn,
  closeBadDays,
  enlist,
  network,
  nonceIn,
  openBadDays,
  readyMachine,
  send,
  signed,
  until,
} from './bad-day-cell.ts';
import { answerOf } from './machine-cell.ts';

beforeAll(openBadDays, 120_000);
afterAll(closeBadDays);

test('PostgreSQL is killed (-9) under load: 503 with Retry-After, boots are told to wait, nothing acknowledged is lost, and it goes on by itself', async () => {
  const deploying = await readyMachine();
  await admin.call('Machine.deploy', { system_id: deploying.systemId }, { distro_series: '1' });
  let nonce = '';
  await until('a ticket', async () => (nonce = nonceIn((await bootScript(deploying.from, deploying.mac)).text)) !== '');
  const { embedded, database } = cell.base;
  const acknowledged: string[] = [];
  const refused: Answer[] = [];
  const odd: Answer[] = [];
  const scripts: Answer[] = [];
  const strangers: Answer[] = [];
  let isOver = false;
  const judge = (answer: Answer): void => {
    if (answer.status === 503) refused.push(answer);
    else if (answer.status !== 200) odd.push(answer);
  };
  const writers = Array.from({ length: 6 }, async (_, n) => {
    for (let k = 0; !isOver; k += 1) {
      const mac = `52:54:00:44:${n.toString(16).padStart(2, '0')}:${(k & 255).toString(16).padStart(2, '0')}`;
      const answer = await enlist({ mac, from: `${network}.1.${n}` });
      if (answer.status === 200) acknowledged.push(answerOf(answer.text)['SYSTEM_ID']!);
      judge(answer);
      await sleep(20);
    }
  });
  const readers = Array.from({ length: 2 }, async () => {
    while (!isOver) {
      judge(await send('127.0.0.1', '/MAAS/api/2.0/machines/?hostname=nobody', undefined, signed(adminKey)));
      await sleep(20);
    }
  });
  const boots = (async () => {
    while (!isOver) {
      scripts.push(await bootScript(deploying.from, deploying.mac));
      strangers.push(await bootScript(`${network}.2.2`, '52:54:00:45:00:01'));
      await sleep(20);
    }
  })();
  await until('somebody is acknowledged', async () => acknowledged.length > 0);
  const before = acknowledged.length;
  // The watcher starts it again within a second or two; killed three times it is away for longer.
  for (let n = 0; n < 3; n += 1) {
    embedded!.kill();
    await sleep(700);
  }
  await until('it answers again', async () => (await send('127.0.0.1', '/readyz')).status === 200, 30_000);
  await sleep(500);
  isOver = true;
  await Promise.all([...writers, ...readers, boots]);

  expect([before > 0, acknowledged.length > before, refused.length > 0]).toEqual([true, true, true]);
  expect(odd.map((one) => `${one.status} ${one.text.slice(0, 200)}`)).toEqual([]);
  for (const one of refused) expect([one.headers['muster-error'], one.headers['retry-after']]).toEqual(['database_away', '2']);
  const there = new Set((await database.db.selectFrom('machine').select('system_id').execute()).map((row) => row.system_id));
  expect(acknowledged.filter((id) => !there.has(id))).toEqual([]);
  // The environment of the ticket that was live when the cell last knew, or "wait and ask again"; who is not known waits.
  for (const { status, text } of scripts) {
    expect([status, text.includes('/boot/start.ipxe')]).toEqual([200, true]);
    if (text.includes('muster_')) expect(nonceIn(text)).toBe(nonce);
  }
  const waits = strangers.filter(({ text }) => !text.includes('muster_purpose=enlist'));
  expect(waits.length).toBeGreaterThan(0);
  for (const { status, text } of waits) expect([status, text.includes('muster_')]).toEqual([200, false]);
  // 0.5 s for the facts, and what two busy cores add.
  expect(Math.max(...[...scripts, ...waits].map((one) => one.ms))).toBeLessThan(1500);
  expect(nonceIn((await bootScript(deploying.from, deploying.mac)).text)).toBe(nonce);
  // Operations, and the wake-ups that drive them, work again.
  await checkedIn(deploying);
  await admin.call('Machine.abort', { system_id: deploying.systemId }, {});
  await becomes(deploying.systemId, 'Allocated');
}, 90_000);
