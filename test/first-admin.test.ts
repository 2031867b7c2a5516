import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, expect, test } from 'vitest';
import { initCell } from '../src/cell/cell.ts';
import { CellConfig } from '../src/cell/config.ts';
import { readSettings } from '../src/cli/settings.ts';
import { HubConfig } from '../src/hub/config.ts';
import { initHub, resetHubPassword } from '../src/hub/init.ts';

const folder = mkdtempSync(join(tmpdir(), 'muster-first-admin-'));
const log = pino({ level: 'silent' });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a hub that does not run gets one first admin, and a lost password is replaced', async () => {
  const config = readSettings(HubConfig, { environment: {}, flags: { folder: join(folder, 'hub') } });
  const first = await initHub(config, log, 'ada');
  expect(first.admin).toMatchObject({ username: 'ada', apiKey: expect.stringMatching(/^\S{18}:\S{18}:\S{32}$/) });
  expect(first.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  expect(await initHub(config, log)).toEqual({ fingerprint: first.fingerprint, admin: undefined });
  const password = await resetHubPassword(config, log, 'ada');
  expect(password).toHaveLength(20);
  expect(password).not.toBe(first.admin?.password);
  expect(await resetHubPassword(config, log, 'nobody')).toBeUndefined();
});

test('so does a standalone cell', async () => {
  const config = readSettings(CellConfig, { environment: {}, flags: { name: 'c1', folder: join(folder, 'cell') } });
  expect(await initCell(config, log, 'ada')).toMatchObject({ username: 'ada' });
  expect(await initCell(config, log, 'eve')).toBeUndefined();
});
