/**
 * One real cell in a process of its own, for runs that kill it. Told what to be by one JSON text; says `ready` with a JSON line when it
 * answers, and `killed` with the name of the point right before it dies there (written synchronously, so the line is never lost).
 */
import { readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { Default } from 'typebox/value';
import { startCell } from '../src/cell/cell.ts';
import { CellConfig } from '../src/cell/config.ts';
import { ensureRackSubnet } from '../src/cell/db/cell-identity.ts';
import { Authority } from '../src/global/authority.ts';
import { createFirstAdmin } from '../src/global/default-documents.ts';

export interface CellProcessSettings {
  readonly folder: string;
  readonly images: string;
  readonly port: number;
  readonly imageSources: readonly string[];
  /** The network that simulated machines call from, with the cell's own address in it: `127.42.255.254/16`. */
  readonly network: string;
  /** `claim:before`; empty for a cell that lives. */
  readonly killPoint: string;
  /** Die at this occurrence, from 1. */
  readonly nth: number;
  readonly killPostgres: boolean;
}

const settings = JSON.parse(process.argv[2] ?? '{}') as CellProcessSettings;
const say = (word: string, facts: object): void => void writeSync(1, `${word} ${JSON.stringify(facts)}\n`);
let seen = 0;
let isArmed = false;

function postmaster(): number {
  return Number(readFileSync(join(settings.folder, 'postgres/data/postmaster.pid'), 'utf8').split('\n', 1)[0]);
}

function killPoint(name: string): void {
  if (!isArmed || name !== settings.killPoint) return;
  seen += 1;
  if (seen < settings.nth) return;
  say('killed', { at: name });
  if (settings.killPostgres) process.kill(postmaster(), 'SIGKILL');
  process.kill(process.pid, 'SIGKILL');
}

// The parent is gone when its end of the pipe is.
process.stdin.resume().once('end', () => process.kill(process.pid, 'SIGKILL'));
const cell = await startCell({
  config: Default(CellConfig, {
    name: 'kill',
    folder: settings.folder,
    images: settings.images,
    port: settings.port,
    tftp_port: 0,
    image_sources: [...settings.imageSources],
    boot_slots: 256,
  }) as CellConfig,
  version: '0',
  log: pino({ level: 'warn' }, pino.destination({ dest: 2, sync: true })),
  killPoint,
});
await cell.base.database.transaction((tx) => ensureRackSubnet(tx, settings.network, false));
const admin = await createFirstAdmin(await Authority.open(cell.base.database));
isArmed = true;
say('ready', { url: cell.url, key: admin?.apiKey ?? '', postgres: postmaster() });
