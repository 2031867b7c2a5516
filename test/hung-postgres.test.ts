/** A cell whose PostgreSQL hangs (SIGSTOP): refusals in bounded time, careful boots, and it goes on when PostgreSQL does. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  admin,
  adminKey,
  type Answer,
  becomes,
  bootScript,
  cell,
  checkedIn,
  closeBadDays,
  network,
  nonceIn,
  openBadDays,
  readyMachine,
  send,
  signed,
  until,
} from './bad-day-cell.ts';

beforeAll(openBadDays, 120_000);
afterAll(closeBadDays);

/** The server and all that it has started. */
function serverProcesses(): number[] {
  const postmaster = cell.base.embedded!.pid();
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return new RegExp(`^PPid:\\s+${postmaster}$`, 'm').test(readFileSync(`/proc/${name}/status`, 'utf8'));
      } catch {
        return false;
      }
    })
    .map(Number);
  return [postmaster, ...children];
}

test('PostgreSQL hangs: 503 with Retry-After in bounded time, boots are told to wait after 0.5 s, and all goes on when it does', async () => {
  const deploying = await readyMachine();
  await admin.call('Machine.deploy', { system_id: deploying.systemId }, { distro_series: '1' });
  let nonce = '';
  await until('a ticket', async () => (nonce = nonceIn((await bootScript(deploying.from, deploying.mac)).text)) !== '');
  const stopped = serverProcesses();
  const answers: Answer[] = [];
  const scripts: Answer[] = [];
  const strangers: Answer[] = [];
  // The cell has seen the ticket when it last looked.
  await sleep(3_000);
  for (const pid of stopped) process.kill(pid, 'SIGSTOP');
  try {
    let isOver = false;
    const readers = Array.from({ length: 4 }, async () => {
      while (!isOver) answers.push(await send('127.0.0.1', '/MAAS/api/2.0/machines/?hostname=nobody', undefined, signed(adminKey)));
    });
    const boots = (async () => {
      while (!isOver) {
        scripts.push(await bootScript(deploying.from, deploying.mac));
        strangers.push(await bootScript(`${network}.2.2`, '52:54:00:45:00:01'));
        await sleep(300);
      }
    })();
    await sleep(12_000);
    isOver = true;
    await Promise.all([...readers, boots]);
  } finally {
    for (const pid of stopped) process.kill(pid, 'SIGCONT');
  }
  expect(answers.length).toBeGreaterThanOrEqual(4);
  for (const one of answers)
    expect([one.status, one.headers['muster-error'], one.headers['retry-after']]).toEqual([503, 'database_away', '2']);
  // 5 s to find out that nobody answers or for a connection, one after the other at worst, and what two busy cores add.
  expect(Math.max(...answers.map((one) => one.ms))).toBeLessThan(14_000);
  // What was known: the ticket, and of a stranger nothing.
  expect(scripts.length).toBeGreaterThan(5);
  for (const { status, text } of scripts) expect([status, nonceIn(text)]).toEqual([200, nonce]);
  for (const { status, text } of strangers)
    expect([status, text.includes('muster_'), text.includes('/boot/start.ipxe')]).toEqual([200, false, true]);
  // 0.5 s for the facts each time; the middle one, since two busy cores add what they like to the slowest.
  expect([...scripts, ...strangers].map((one) => one.ms).toSorted((a, b) => a - b)[scripts.length]).toBeLessThan(1500);

  await until('it answers again', async () => (await send('127.0.0.1', '/readyz')).status === 200, 30_000);
  await until('the same ticket', async () => nonceIn((await bootScript(deploying.from, deploying.mac)).text) === nonce);
  await checkedIn(deploying);
  await admin.call('Machine.abort', { system_id: deploying.systemId }, {});
  await becomes(deploying.systemId, 'Allocated');
}, 90_000);
