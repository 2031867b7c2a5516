/**
 * `muster lose NAME`: kill one program of a running `muster up` or `npm start` with -9, keep it away for a while, and tell what the rest
 * says meanwhile. Nothing is asked of the dead; what is told is read through a front that lives.
 */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { ApiError, createClient, type Client } from '../http/client.ts';
import { programPlace, type ProgramKind, type TreeFacts } from './program-place.ts';
import { livingFolders, runIn, runVariable } from './run-folder.ts';
import { SettingsError } from './settings.ts';
import { createStory, type Story } from './story.ts';
import { wholeNumber } from './up-command.ts';

/** What each loss costs, in a sentence for the invitation, and what is looked at while it lasts. */
export const losses: Readonly<Record<ProgramKind, { readonly costs: string; readonly look: (client: Client) => Promise<string> }>> = {
  cell: {
    costs: 'its machines run on and cannot be reprovisioned; lists name it absent, its machines answer 503, never 404',
    look: async (client) => `${await cellsSeen(client)}; ${await machinesSeen(client)}`,
  },
  hub: {
    costs: 'users, keys and settings cannot be changed; everything else goes on',
    look: async (client) => `${await machinesSeen(client)}; ${await globalWrite(client)}`,
  },
  front: {
    costs: 'nothing: the other front gives the same answers',
    look: async (client) => machinesSeen(client),
  },
};

async function cellsSeen(client: Client): Promise<string> {
  const cells = await client.call('Cells.read', {}, {});
  const absent = cells.filter(({ answering }) => answering !== true).map(({ name }) => name);
  return `${cells.length - absent.length} of ${cells.length} cells answer${absent.length === 0 ? '' : `, absent: ${absent.join(', ')}`}`;
}

async function machinesSeen(client: Client): Promise<string> {
  const { machines } = await client.call('Machines.summary', {}, {});
  return `${machines} machines listed`;
}

/** Set a setting to what it is: changes nothing, and shows whether anything could be. */
async function globalWrite(client: Client): Promise<string> {
  try {
    const value = await client.call('Maas.get_config', {}, { name: 'maas_name' });
    await client.call('Maas.set_config', {}, { name: 'maas_name', value: String(value) });
    return 'settings can be changed';
  } catch (error) {
    if (error instanceof ApiError && (error.status >= 500 || error.status === 0)) return `settings cannot be changed (${error.status})`;
    throw error;
  }
}

export function loseCommand(write: (text: string) => void): Command {
  return new Command('lose')
    .description('Kill one program of a running `muster up` or `npm start` with -9, and tell what the others say while it is away.')
    .argument('<name>', 'hub, or a front or cell: f1, c2')
    .option('--for <seconds>', 'how long it stays away', '30')
    .option('--data <folder>', 'the data folder of the run; left out, the one run without --data')
    .action(async (name: string, options: { for: string; data?: string }) => {
      await lose(createStory(write), name, wholeNumber(options.for, '--for', 1, 600), options.data ?? theRun());
    });
}

/** The folder of the only run that is up. */
function theRun(): string {
  const [first, ...more] = livingFolders(tmpdir());
  if (first === undefined)
    throw new SettingsError('Nothing is up here. Start it with npm start, or name the folder of `muster up` with --data.');
  if (more.length > 0) throw new SettingsError(`Several runs are up. Choose one with --data: ${[first, ...more].join(', ')}`);
  return first;
}

async function lose(story: Story, name: string, seconds: number, folder: string): Promise<void> {
  const run = runIn(folder);
  const place = run === undefined ? undefined : programPlace(folder);
  const facts = place?.tree();
  if (run === undefined || !place || !facts) throw new SettingsError(`Nothing is up in ${folder}, or it is still coming up.`);
  const program = facts.programs.find((one) => one.name === name);
  if (!program) throw new SettingsError(`There is no ${name}. Running: ${facts.programs.map((one) => one.name).join(', ')}.`);
  const pid = place.pid(name);
  if (pid === undefined || !isOf(run, pid)) throw new SettingsError(`${name} does not run at the moment. Try again in some seconds.`);
  const witness = witnessOf(facts, name);
  const loss = losses[program.kind];
  const look = async (): Promise<string> => (witness ? loss.look(witness.client).catch(reasonOf) : 'no other front to ask');
  const before = await look();
  story.tell(`before: ${before}`);
  place.sendAway(name, Date.now() + seconds * 1000);
  process.kill(pid, 'SIGKILL');
  story.tell(`${name} is killed with -9 and stays away for ${seconds} s. What it costs: ${loss.costs}.`);
  let told = '';
  const backBy = Date.now() + seconds * 1000 + 60_000;
  for (let back = false; !back;) {
    if (Date.now() > backBy) throw new Error(`${name} did not come back within ${seconds + 60} s; its log is in ${folder}/log.`);
    await sleep(500);
    const now = place.pid(name);
    back = now !== undefined && now !== pid && isOf(run, now);
    const seen = await look();
    if (seen !== told) story.tell(witness ? `${witness.name}: ${seen}` : seen);
    told = seen;
  }
  story.tell(`${name} is started again`);
  const ownUrl = facts.fronts[name];
  const asked = ownUrl === undefined ? witness : { name, client: createClient({ url: ownUrl, key: adminKey(facts) }) };
  if (asked) await settled(story, asked, loss, before);
}

interface Witness {
  readonly name: string;
  readonly client: Client;
}

/** A front that is not the one that dies. */
function witnessOf(facts: TreeFacts, lost: string): Witness | undefined {
  const [found] = Object.entries(facts.fronts).filter(([name]) => name !== lost);
  return found && { name: found[0], client: createClient({ url: found[1], key: adminKey(facts) }) };
}

function adminKey({ adminFile }: TreeFacts): string {
  return (JSON.parse(readFileSync(adminFile, 'utf8')) as { apiKey: string }).apiKey;
}

/** Wait until all is as it was: the breaker of a front lets a call through every few seconds. Half a minute at most. */
async function settled(story: Story, { name, client }: Witness, loss: (typeof losses)[ProgramKind], before: string): Promise<void> {
  let seen = '';
  for (let tries = 0; tries < 60 && seen !== before; tries += 1) {
    await sleep(500);
    seen = await loss.look(client).catch(reasonOf);
  }
  story.tell(`${name}: ${seen}`);
}

function reasonOf(error: unknown): string {
  if (error instanceof ApiError) return `no answer (${error.status}): ${error.message}`;
  throw error;
}

/** Whether a process is one of this run: its number may be another's by now. */
function isOf(run: string, pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`${runVariable}=${run}`);
  } catch {
    return false;
  }
}
