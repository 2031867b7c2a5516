/** Blows: what is done to a fleet, when exactly, and how it is healed. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { killPostgres } from '../src/postgres/postmaster.ts';
import type { Fleet, FleetCell } from './fleet.ts';
import type { TapMoment } from './fleet-tap.ts';

export interface Blow {
  readonly name: string;
  /** Resolves when it has happened, with the parts and links that are away until it is healed. */
  strike(): Promise<readonly string[]>;
  /** Milliseconds until it is healed. */
  readonly holdMs: number;
  heal(): Promise<void>;
}

/** A point that the load does not reach in this time is a mistake of the run. */
const reachedWithinMs = 20_000;

export async function reached(what: string, happening: Promise<unknown>): Promise<void> {
  const late = new AbortController();
  const tooLate = sleep(reachedWithinMs, 'late', { signal: late.signal }).catch(() => undefined);
  if ((await Promise.race([happening, tooLate])) === 'late') throw new Error(`${what} was not reached within ${reachedWithinMs / 1000} s`);
  late.abort();
}

function killDatabase(cell: FleetCell): void {
  killPostgres(join(cell.folder, 'postgres/data'));
}

/** kill -9 of these programs at once, after a pause; cells named in `databases` lose their PostgreSQL, too. */
export function killAfter(
  fleet: Fleet,
  names: readonly string[],
  given: { readonly afterMs: number; readonly holdMs: number; readonly databases?: readonly string[] },
): Blow {
  const { afterMs, holdMs, databases = [] } = given;
  return {
    name: `${names.join(', ')} after ${afterMs} ms${databases.length > 0 ? ', PostgreSQL too' : ''}`,
    holdMs,
    async strike() {
      await sleep(afterMs);
      for (const cell of fleet.cells) if (databases.includes(cell.name)) killDatabase(cell);
      await Promise.all(names.map((name) => fleet.program(name).kill()));
      return names;
    },
    // One after the other: the first named first, as a front needs its hub.
    async heal() {
      for (const name of names) await fleet.program(name).start();
    },
  };
}

/** The cell kills itself at a point of its code that the load reaches. */
export function killAtPoint(fleet: Fleet, cell: FleetCell, point: string, withDatabase: boolean): Blow {
  return {
    name: `${cell.name} at ${point}${withDatabase ? ', PostgreSQL too' : ''}`,
    holdMs: 800,
    async strike() {
      writeFileSync(`${cell.killFile}.new`, point);
      renameSync(`${cell.killFile}.new`, cell.killFile);
      await reached(`${point} in ${cell.name}`, cell.program.ended);
      if (withDatabase) killDatabase(cell);
      return [cell.name];
    },
    heal: () => fleet.program(cell.name).start(),
  };
}

/**
 * kill -9 at a moment of the protocol between fronts and cells. `whose`: who dies, told which cell it was.
 * `among`: only at these cells.
 */
export function killAtTap(
  fleet: Fleet,
  op: string,
  moment: TapMoment,
  given: { readonly whose: (cell: string) => readonly string[]; readonly among?: readonly string[]; readonly holdMs?: number },
): Blow {
  const { whose, among, holdMs = 800 } = given;
  let victims: readonly string[] = [];
  const taps = fleet.cells.filter(({ name }) => among?.includes(name) ?? true).map(({ tap }) => tap);
  return {
    name: `${whose('its cell').join(', ')} when a ${op} ${moment === 'request' ? 'is on its way' : 'was answered'}`,
    holdMs,
    async strike() {
      const happening = new Promise<void>((resolve, reject) => {
        for (const tap of taps) {
          if (!tap) throw new Error('this fleet has no taps');
          tap.watch = (seen, at, cell) => {
            if (victims.length > 0 || seen !== op || at !== moment) return undefined;
            victims = whose(cell);
            const killing = Promise.all(victims.map((victim) => fleet.program(victim).kill())).then(() => undefined);
            killing.then(resolve, reject);
            return killing;
          };
        }
      });
      await reached(`${op} ${moment}`, happening).finally(() => {
        for (const tap of taps) if (tap) tap.watch = undefined;
      });
      return victims;
    },
    async heal() {
      for (const victim of victims) await fleet.program(victim).start();
    },
  };
}

/** Links of both directions between two parts. */
export function bothWays(one: string, other: string): string[] {
  return [`${one}>${other}`, `${other}>${one}`];
}

/** What one part sends to the other is lost on its way, silently. `links`: `f1>c1`, each one direction. */
export function cutLinks(fleet: Fleet, links: readonly string[], holdMs: number): Blow {
  const { place } = fleet;
  const each = async (work: 'cut' | 'mend'): Promise<void> => {
    for (const link of links) {
      const [from = '', to = ''] = link.split('>');
      if (!place[work]) throw new Error('this fleet has no network that could be cut');
      await place[work](from, to);
    }
  };
  return {
    name: `cut ${links.join(' ')}`,
    holdMs,
    async strike() {
      await each('cut');
      return links;
    },
    heal: () => each('mend'),
  };
}
