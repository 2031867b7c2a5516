// The commands for an operator of a hub, as they are documented: a new key for one that runs, a new epoch for one that does not.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHubFleet, type HubFleet } from './hub-fleet.ts';

const run = promisify(execFile);
const launcher = join(import.meta.dirname, '../muster');
let fleet: HubFleet;
beforeAll(async () => {
  fleet = await openHubFleet();
});
afterAll(() => fleet[Symbol.asyncDispose]());

/** One of ours, word for word, with further words behind. */
async function muster(command: string, ...more: string[]): Promise<string> {
  const [program, ...words] = command.split(' ');
  expect(program).toBe('./muster');
  const { stdout } = await run(launcher, [...words, ...more], {
    env: { ...process.env, HOME: fleet.folder, XDG_CONFIG_HOME: fleet.folder },
  });
  return stdout;
}

test('a hub that runs gets a new key', async () => {
  const before = fleet.hub.fingerprint;
  await muster('./muster login', 'site', fleet.hub.plainUrl!, fleet.admin.apiKey);
  const said = await muster('./muster hub rotate-key');
  expect(fleet.hub.fingerprint).not.toBe(before);
  expect(said).toContain(fleet.hub.fingerprint);
});

test('a hub that is stopped gets a new epoch', async () => {
  const { epoch } = fleet.hub.authority.memory.revision('config');
  await fleet.hub.close(0);
  const said = await muster('./muster hub new-epoch', '--folder', join(fleet.folder, 'hub-1'), '--database-url', fleet.database.url);
  expect(said).toContain(`epoch ${epoch + 1}`);
  fleet.hub = await fleet.start('hub-1');
  expect(fleet.hub.authority.memory.revision('config').epoch).toBe(epoch + 1);
  expect(fleet.hub.authority.memory.revision('access').epoch).toBe(epoch + 1);
});
