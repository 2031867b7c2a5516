/**
 * One real cell in a process of its own, for runs that kill it. Told what to be by one JSON text; says `ready` with a JSON line when it
 * answers, and `killed` with the name of the point right before it dies there (written synchronously, so the line is never lost).
 */
import { mkdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
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
  /** For one of several processes of a cell: the database that they share, its own address, and the addresses of all. */
  readonly shared?: {
    readonly databaseUrl: string;
    readonly address: string;
    readonly addresses: readonly string[];
    readonly name: string;
  };
}

/** A line on standard input: die at this occurrence of the point, counted over all processes that were told of the same folder. */
export interface Arming {
  readonly point: string;
  readonly nth: number;
  /** Empty; whoever makes the folder `<nth>` in it is the one that dies. */
  readonly folder: string;
}

const settings = JSON.parse(process.argv[2] ?? '{}') as CellProcessSettings;
const say = (word: string, facts: object): void => void writeSync(1, `${word} ${JSON.stringify(facts)}\n`);
let seen = 0;
let isArmed = false;
let arming: Arming | undefined;

function postmaster(): number {
  if (settings.shared) return 0;
  return Number(readFileSync(join(settings.folder, 'postgres/data/postmaster.pid'), 'utf8').split('\n', 1)[0]);
}

/** The next occurrence that no process has had yet. */
function occurrenceIn(folder: string): number {
  for (let n = 1; ; n += 1) {
    try {
      mkdirSync(join(folder, String(n)));
      return n;
    } catch (error) {
      // Another process had this one.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function killPoint(name: string): void {
  if (arming !== undefined && name === arming.point && occurrenceIn(arming.folder) === arming.nth) {
    say('killed', { at: name });
    process.kill(process.pid, 'SIGKILL');
  }
  if (!isArmed || name !== settings.killPoint) return;
  seen += 1;
  if (seen < settings.nth) return;
  say('killed', { at: name });
  if (settings.killPostgres) process.kill(postmaster(), 'SIGKILL');
  process.kill(process.pid, 'SIGKILL');
}

// The parent is gone when its end of the pipe is.
process.stdin.once('end', () => process.kill(process.pid, 'SIGKILL'));
createInterface({ input: process.stdin }).on('line', (line) => (arming = JSON.parse(line) as Arming));
const cell = await startCell({
  config: Default(CellConfig, {
    name: 'kill',
    folder: settings.folder,
    images: settings.images,
    port: settings.port,
    tftp_port: 0,
    image_sources: [...settings.imageSources],
    boot_slots: 256,
    // An order of which nobody knows whether it arrived is waited out: the default is 200 s, the simulated BMCs act at once.
    slowest_bmc_seconds: 40,
    ...(settings.shared
      ? {
          database_url: settings.shared.databaseUrl,
          service_address: settings.shared.address,
          service_addresses: [...settings.shared.addresses],
          process_name: settings.shared.name,
        }
      : {}),
  }) as CellConfig,
  version: '0',
  log: pino({ level: 'warn' }, pino.destination({ dest: 2, sync: true })),
  killPoint,
});
await cell.base.database.transaction((tx) => ensureRackSubnet(tx, settings.network, false));
const admin = await createFirstAdmin(await Authority.open(cell.base.database));
isArmed = true;
// An orderly end: what is under way gets its time.
process.once('SIGTERM', () => void cell.close().then(() => process.exit(0)));
say('ready', { url: cell.url, key: admin?.apiKey ?? '', postgres: postmaster() });
