/** The agent of the ephemeral environment, as docs/agent-protocol.md has it: enlist, commission, test, deploy, erase and rescue. */
import { randomBytes } from 'node:crypto';
import type { AgentAction, AgentCommandLine } from '../contract/metadata.ts';
import { Conversation, Refused, type Call } from './conversation.ts';
import type { Environment } from './environment.ts';
import { inventoryOf } from './machine-model.ts';
import { lshwOf } from './lshw.ts';
import { PlanFailure, runPlan } from './plan-program.ts';
import { readAnswer, readPlan } from './shell-words.ts';
import { readTar } from './tar-reader.ts';

/** How the environment ends. `stay`: rescue, until its power is cut. */
export type AgentEnd = 'poweroff' | 'reboot' | 'local' | 'stay';

/** What a boot asked of the cell and got, for those who count. */
export interface AgentRecord {
  checkIns: number;
  /** A plan was granted. */
  claimed: boolean;
  /** Statuses that the second boot of `bootsTwice` got. */
  readonly secondBoot: number[];
  refused: string | undefined;
}

/** Seconds between heartbeats. */
const heartbeatEvery = 10;
/** Rounds of scripts; more means that the cell never says 204. */
const mostRounds = 100;

interface Boot {
  readonly environment: Environment;
  readonly line: AgentCommandLine;
  readonly talk: Conversation;
  readonly record: AgentRecord;
}

/** Runs until the environment ends. @throws the signal's reason when the power goes, Error for what no agent could read. */
export async function runAgent(environment: Environment, line: AgentCommandLine, record: AgentRecord): Promise<AgentEnd> {
  const { address: from, pace, faults, signal, say } = environment;
  const talk = new Conversation({ url: line.muster_url, from, pace, faults, signal, say });
  const boot: Boot = { environment, line, talk, record };
  try {
    switch (line.muster_purpose) {
      case 'enlist':
        return await enlist(boot);
      case 'commission':
      case 'test':
        return await examine(boot);
      case 'deploy':
      case 'erase':
        return await writeDisks(boot);
      case 'rescue':
        await checkIn(boot);
        await signalCell(boot, { status: 'OK' });
        return 'stay';
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    record.refused = error.message;
    say(`${error.message}; powering off in 10 s`);
    await pace.pause(10, signal);
    return 'poweroff';
  }
}

function post(boot: Boot, what: Call['what'], fields: readonly (readonly [string, string])[], bootId = boot.environment.bootId) {
  const form = new URLSearchParams([['boot_id', bootId], ...fields.map(([name, value]): [string, string] => [name, value])]);
  return { what, method: 'POST' as const, path: `/MAAS/metadata/agent/${what}`, form };
}

function identity({ environment: { model } }: Boot): (readonly [string, string])[] {
  return [['hardware_uuid', model.uuid], ...model.cards.map((card) => ['mac', card.mac] as const)];
}

async function enlist(boot: Boot): Promise<AgentEnd> {
  const { model, disks, reach } = boot.environment;
  await reach('enlist');
  const marker = disks.find((disk) => disk.marker !== '')?.marker ?? '';
  const reply = await boot.talk.call(
    post(boot, 'enlist', [
      ...identity(boot),
      ['serial', model.serial],
      ['architecture', model.architecture],
      ['firmware', model.firmware],
      ['marker', marker],
    ]),
  );
  return ending(actionOf(reply.body), ['poweroff', 'local']);
}

function actionOf(body: Buffer): string {
  return readAnswer(body.toString('utf8')).get('ACTION') ?? '';
}

function ending(action: string, allowed: readonly AgentAction[]): AgentEnd {
  const found = allowed.find((one) => one === action);
  if (found === undefined || found === 'go-on')
    throw new Error(`the cell says ACTION=${JSON.stringify(action)}, which this agent does not know`);
  return found;
}

async function checkIn(boot: Boot): Promise<void> {
  const { environment, line, talk, record } = boot;
  await environment.reach('check-in');
  const nonce = environment.faults.given.wrongNonce ? randomBytes(16).toString('hex') : (line.muster_nonce ?? '');
  const reply = await talk.call(post(boot, 'check-in', [['nonce', nonce], ...identity(boot)]));
  const answer = readAnswer(reply.body.toString('utf8'));
  const [consumer, token, secret] = ['CONSUMER_KEY', 'TOKEN_KEY', 'TOKEN_SECRET'].map((name) => answer.get(name) ?? '');
  if (!consumer || !token || !secret) throw new Error('check-in: the answer has no credential');
  talk.key = `${consumer}:${token}:${secret}`;
  record.checkIns += 1;
  environment.say(`checked in as ${answer.get('SYSTEM_ID') ?? ''} ${answer.get('HOSTNAME') ?? ''} for ${answer.get('PURPOSE') ?? ''}`);
}

async function spend(boot: Boot, outcome: 'done' | 'failed', detail: string): Promise<AgentEnd> {
  const { reach, disks } = boot.environment;
  await reach('spend');
  const reply = await boot.talk.call(
    post(boot, 'spend', [['outcome', outcome], ['detail', detail], ...disks.map((disk) => ['disk', disk.line()] as const)]),
  );
  return ending(actionOf(reply.body), ['reboot', 'poweroff']);
}

/** MAAS's `op=signal`: multipart, everything optional as text. */
async function signalCell(
  boot: Boot,
  fields: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>> = {},
): Promise<void> {
  const form = new FormData();
  form.append('op', 'signal');
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const [name, text] of Object.entries(files)) form.append(name, new Blob([text], { type: 'application/octet-stream' }), name);
  await boot.talk.call({ what: 'signal', method: 'POST', path: '/MAAS/metadata/latest/', form });
}

/** Commission or test: scripts until there are no more. */
async function examine(boot: Boot): Promise<AgentEnd> {
  await checkIn(boot);
  await boot.environment.reach('scripts');
  let failed = 0;
  for (let round = 0; ; round += 1) {
    if (round >= mostRounds) throw new Error(`maas-scripts: the cell still has scripts after ${round} rounds`);
    const reply = await boot.talk.call({ what: 'maas-scripts', method: 'GET', path: '/MAAS/metadata/latest/maas-scripts' });
    if (reply.status === 204) break;
    const files = readTar(reply.body);
    const index = files.get('index.tsv')?.toString('utf8') ?? '';
    if (index === '' || !files.has('index.json')) throw new Error('maas-scripts: no index.tsv or no index.json');
    for (const line of index.split('\n').filter((one) => one !== '')) {
      const [name = '', path = '', result = '', version = ''] = line.split('\t');
      if (!files.has(path)) throw new Error(`maas-scripts: ${path} is in the index and not in the archive`);
      if (!(await runScript(boot, name, result, version))) failed += 1;
    }
  }
  await signalCell(boot, { status: 'OK' });
  return spend(boot, 'done', `scripts failed: ${failed}`);
}

/** The inventory tells what the machine is made of; any other script passes unless a fault says otherwise. Scripts are not run: there is no shell here. */
async function runScript(boot: Boot, name: string, result: string, version: string): Promise<boolean> {
  const { model, disks, faults, work } = boot.environment;
  const about = { script_result_id: result, script_version_id: version };
  await signalCell(boot, { ...about, status: 'WORKING', error: `Running ${name}` });
  const runtime = { '50-muster-inventory': 3, '60-muster-lshw': 1 }[name] ?? 20;
  await work(runtime);
  const code = faults.given.scriptFails === name ? 1 : 0;
  const inventory = inventoryOf(
    model,
    disks.map((disk) => disk.model),
  );
  // What is on each disk goes beside what it is, as the agent's inventory prints it.
  const contents = disks.map((disk) => ({ signatures: disk.signatures(), marker: disk.marker }));
  const printed = { ...inventory, disks: inventory.disks.map((disk, index) => ({ ...disk, ...contents[index] })) };
  const known: Readonly<Record<string, () => string>> = {
    '50-muster-inventory': () => `${JSON.stringify(printed)}\n`,
    '60-muster-lshw': () =>
      lshwOf(
        model,
        disks.map((disk) => disk.model),
      ),
  };
  const out = known[name]?.() ?? `${name}: nothing is wrong with this simulated machine\n`;
  const files = { [name]: out, [`${name}.out`]: out, [`${name}.err`]: '' };
  await signalCell(
    boot,
    { ...about, status: 'WORKING', exit_status: String(code), runtime: String(runtime), error: `Finished ${name}: ${code}` },
    files,
  );
  return code === 0;
}

/** Deploy or erase: claim, plan, spend; heartbeats beside it. */
async function writeDisks(boot: Boot): Promise<AgentEnd> {
  const { environment, talk, record } = boot;
  await checkIn(boot);
  const ended = new AbortController();
  const progress = { step: 'claiming' };
  const aborted = heartbeats(boot, progress, AbortSignal.any([environment.signal, ended.signal]));
  try {
    return await Promise.race([install(), aborted]);
  } finally {
    ended.abort(new Error('the work is done'));
  }

  async function install(): Promise<AgentEnd> {
    await environment.reach('claim');
    const reply = await talk.call(
      post(
        boot,
        'claim',
        environment.disks.map((disk) => ['disk', disk.line()] as const),
      ),
    );
    record.claimed = true;
    const calls = readPlan(reply.body.toString('utf8'));
    if (environment.faults.given.bootsTwice) await bootAgain(boot);
    try {
      await runPlan(calls, {
        disks: environment.disks,
        firmware: environment.model.firmware,
        writer: environment,
        fetch: (url) => talk.download(url),
        async reach(stage) {
          progress.step = stage;
          await environment.reach(stage);
          await environment.work(stage === 'unpack' ? 30 : 1);
        },
      });
    } catch (error) {
      if (!(error instanceof PlanFailure)) throw error;
      environment.say(error.message);
      return spend(boot, 'failed', error.message);
    }
    return spend(boot, 'done', '');
  }
}

/** Ends only when the cell says that the operation was aborted. */
async function heartbeats(boot: Boot, progress: { step: string }, signal: AbortSignal): Promise<AgentEnd> {
  const { environment, talk } = boot;
  return new Promise((aborted) => {
    const beat = async (): Promise<void> => {
      for (;;) {
        await environment.pace.pause(heartbeatEvery, signal);
        // A lost heartbeat is not asked again: the next one comes anyway.
        const reply = await talk
          .once(
            post(boot, 'heartbeat', [
              ['step', progress.step],
              ['percent', '50'],
            ]),
          )
          .catch(() => undefined);
        signal.throwIfAborted();
        if (reply?.status === 200 && actionOf(reply.body) === 'poweroff') {
          environment.say('aborted by the cell');
          return aborted('poweroff');
        }
      }
    };
    // Ended by the signal: whoever waits for the work has its result.
    beat().catch(() => undefined);
  });
}

/** Another boot of the same machine with the same nonce: checks in and claims, and says what it was told. */
async function bootAgain(boot: Boot): Promise<void> {
  const { environment, line, talk, record } = boot;
  const second = randomBytes(16).toString('hex');
  const reply = await talk.once(post(boot, 'check-in', [['nonce', line.muster_nonce ?? ''], ...identity(boot)], second));
  record.secondBoot.push(reply.status);
  if (reply.status !== 200) return;
  const claim = await talk.once(
    post(
      boot,
      'claim',
      environment.disks.map((disk) => ['disk', disk.line()] as const),
      second,
    ),
  );
  record.secondBoot.push(claim.status);
}
